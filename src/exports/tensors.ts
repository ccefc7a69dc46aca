// Tensors on libtorch: operations, autograd, random numbers, devices.

export { float32Data, type TensorData } from '../core/data.ts'
export type { Dim, Shape } from '../core/dims.ts'
export { pixelUnshuffle } from '../core/functional.ts'
export { hostTensor } from '../core/hostBackend.ts'
export type { PadMode } from '../core/ops.ts'
export { type CounterRandom, counterRandom, type Random, type RandomState } from '../core/random.ts'
export { rearrange } from '../core/rearrange.ts'
export { type Axes, cat, Tensor } from '../core/tensor.ts'
export {
  autocast,
  backward,
  type Device,
  grad,
  moveToTorch,
  noGrad,
  scalar,
  scope,
  toTorch,
} from '../torch/backend.ts'
export { type CudaDevice, cudaDevices, setThreads, synchronize, threads } from '../torch/device.ts'
export { fourier2d } from '../torch/fft.ts'
export { RandomGenerator } from '../torch/rng.ts'
