// Progress of a training, from the first check of its images to the last step.

/** Progress of a training. */
export interface TrainingProgress {
  /** `open`: the recipe and its images are checked; `train`: steps; `validate`: images are restored and measured. */
  readonly phase: 'open' | 'train' | 'validate'
  /** Images checked, steps done, or images validated. */
  readonly done: number
  /** Images to check, steps of the recipe, or images to validate. */
  readonly total: number
  /** Moving average of the loss; only in phase `train`. */
  readonly loss?: number
  /** The same for people, such as `step 20/100  loss 0.03120 …`. */
  readonly text: string
}

/** Called with the progress of a training. */
export type OnTrainingProgress = (progress: TrainingProgress) => void
