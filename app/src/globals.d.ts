/// <reference types="vite/client" />

/** It has no types. */
declare module 'libheif-js/wasm-bundle'
