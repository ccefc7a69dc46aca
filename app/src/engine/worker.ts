// The worker that restores, with decoders of formats that most browsers lack: they are loaded when such a file comes.

import { serveRestorer } from 'limpid/web'
import * as runtime from 'onnxruntime-web/webgpu'

serveRestorer(runtime, {
  decoders: {
    heic: () => import('libheif-js/wasm-bundle'),
    jxl: async () => (await import('@jsquash/jxl/decode')).default,
  },
})
