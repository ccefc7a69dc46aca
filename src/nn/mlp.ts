import type { Tensor } from '../core/tensor.ts'
import type { Init } from './init.ts'
import { Linear } from './linear.ts'

/** Feed-forward network of a transformer, with GELU. */
export class Mlp {
  fc1: Linear
  fc2: Linear

  constructor(init: Init, features: number, hidden: number) {
    this.fc1 = new Linear(init, features, hidden, { bias: true })
    this.fc2 = new Linear(init, hidden, features, { bias: true })
  }

  forward(x: Tensor): Tensor {
    return this.fc2.forward(this.fc1.forward(x).gelu())
  }
}
