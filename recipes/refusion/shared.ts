// Shared by the Refusion trainings (arXiv:2304.08291 §4; Algolzw/image-restoration-sde@2598d73).

import { cosine, emaPytorch, lion, restoringSde, type Tensor } from 'limpid/train'

export const sdeOptions = { ...restoringSde, maxSigma: 50 }

/** Lion with a half-cosine decay to 1e-7. */
export function training(rate: number, total: number) {
  return {
    optimizer: (parameters: ReadonlyMap<string, Tensor>) =>
      lion(parameters, { betas: [0.9, 0.99], weightDecay: 0 }),
    learningRate: cosine(rate, 1e-7, total),
    ema: emaPytorch({ beta: 0.995 }),
    steps: total,
    seed: 0,
    saveEvery: 5000,
    logEvery: 100,
  }
}
