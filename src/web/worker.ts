// A worker that restores pictures for `createWorkerRestorer` and `createEngine`.

import { serveRestorer } from './workerServer.ts'

serveRestorer({
  webgpu: () => import('onnxruntime-web/webgpu'),
  wasm: () => import('onnxruntime-web/wasm'),
})
