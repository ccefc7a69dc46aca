// A worker that restores pictures for `createWorkerRestorer`.

import * as runtime from 'onnxruntime-web/webgpu'
import { serveRestorer } from './workerServer.ts'

serveRestorer(runtime)
