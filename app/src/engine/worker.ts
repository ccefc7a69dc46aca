// The worker that restores, with decoders of formats that most browsers lack: they are loaded when such a file comes.

import { serveRestorer } from 'limpid/web'

serveRestorer(
  {
    webgpu: () => import('onnxruntime-web/webgpu'),
    wasm: () => import('onnxruntime-web/wasm'),
  },
  {
    decoders: {
      heic: () => import('libheif-js/wasm-bundle'),
      jxl: async () => (await import('@jsquash/jxl/decode')).default,
    },
  },
)
