import type { Tensor } from '../core/tensor.ts'
import { type Init, uniformByFanIn } from './init.ts'

/** Linear layer [… in] -> [… out]. */
export class Linear {
  weight: Tensor // [out in]
  bias?: Tensor // [out]

  constructor(init: Init, featuresIn: number, featuresOut: number, { bias }: { readonly bias: boolean }) {
    this.weight = init.weight([featuresOut, featuresIn], uniformByFanIn(featuresIn))
    if (bias) this.bias = init.weight([featuresOut], uniformByFanIn(featuresIn))
  }

  forward(x: Tensor): Tensor {
    return x.linear(this.weight, this.bias)
  }
}

/** Applies a linear layer to weights, which a trace holds in host memory, where there is no op for linear layers. */
export function projectWeights(x: Tensor, { weight, bias }: Linear): Tensor {
  const y = x.matmul(weight.transpose(0, 1))
  return bias ? y.add(bias) : y
}
