// Compares every op on libtorch with PyTorch: values, shapes, dtypes and gradients, on
// CPU and on CUDA if present.

import { describe, test } from 'vitest'
import { loadAddon } from '../../native/load.ts'
import { isFloat } from '../../src/core/data.ts'
import type { Tensor } from '../../src/core/tensor.ts'
import { backward, type Device, grad, handleOf, scope, toTorch } from '../../src/torch/backend.ts'
import { libtorchMissing } from '../libtorch.ts'
import type { OpCase } from '../ops.cases.ts'
import type { Tolerance } from '../values.ts'
import { applyOp, runCases } from './cases.ts'

// The kernels are the same, but are selected by the CPU's vector width, which reorders sums.
const cpuTolerance: Tolerance = { absolute: 2e-5, relative: 1e-5 }
// cuDNN may convolve in TF32, whose mantissa has 10 bits, over sums of up to 49 products.
const cudaTolerance: Tolerance = { absolute: 1e-2, relative: 2e-3 }

function inputsOn(device: Device, { inputs, cotangent }: OpCase): readonly Tensor[] {
  return inputs.map((data) => {
    const tensor = toTorch(data, device)
    if (cotangent && isFloat(data.dtype)) loadAddon().setRequiresGrad(handleOf(tensor), true)
    return tensor
  })
}

function conformance(name: string, device: Device, tolerance: Tolerance): void {
  runCases({
    backend: {
      name,
      tolerance,
      run: (testCase) => {
        let result: ReturnType<Tensor['read']> | undefined
        scope(() => {
          result = applyOp(testCase, inputsOn(device, testCase)).read()
          return undefined
        })
        if (!result) throw new Error('no result')
        return result
      },
      gradients: (testCase, cotangent) => {
        const inputs = inputsOn(device, testCase)
        backward(applyOp(testCase, inputs).mul(toTorch(cotangent, device)).sum())
        return inputs.map((tensor) => (isFloat(tensor.dtype) ? grad(tensor)?.read() : undefined))
      },
    },
  })
}

if (libtorchMissing !== undefined) {
  describe('libtorch', () => test.skip(`every op matches PyTorch (${libtorchMissing})`))
} else {
  conformance('libtorch on the CPU', 'cpu', cpuTolerance)
  if (loadAddon().cudaDevices().length > 0) conformance('libtorch on CUDA', 'cuda:0', cudaTolerance)
  else describe('libtorch on CUDA', () => test.skip('every op matches PyTorch (no CUDA device)'))
}
