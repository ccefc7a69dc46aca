// IR-SDE: Image Restoration with Mean-Reverting Stochastic Differential Equations, arXiv:2301.11699, its
// posterior sampling (arXiv:2404.09732) and the denoising SDE. Every formula is linear in images, so each is
// represented by its coefficients. Numerics follow Algolzw/image-restoration-sde@2598d73 utils/sde_utils.py
// and Algolzw/daclip-uir@c2cc141 (sample_T).

import { RestoreError } from '../core/errors.ts'
import { constant } from '../core/hostBackend.ts'
import type { Tensor } from '../core/tensor.ts'

export type Schedule = 'cosine' | 'linear' | 'constant'

/** Options of a mean-reverting SDE. */
export interface SdeOptions {
  /**
   * 'restoring' reverts to the degraded image; 'denoising' keeps the mean, for images
   * with white Gaussian noise only.
   */
  readonly kind: 'restoring' | 'denoising'
  /** How θ grows over the steps. */
  readonly schedule: Schedule
  /** Steps T of training: the network was trained at times 1 … T. */
  readonly steps: number
  /** Steps of sampling, with a schedule of their own; default: steps. */
  readonly sampleSteps?: number | undefined
  /**
   * Time passed to the network at sampling step t: 'even' is t · T / sampleSteps, as in the official code;
   * 'matched' is the time at which the same share of the clean image was left in training.
   * @default 'even'
   */
  readonly sampleTimes?: 'even' | 'matched' | undefined
  /** Stationary deviation λ, on the scale 0 … 255, or 0 … 1 if below 1. */
  readonly maxSigma: number
  /** Share of the clean image left at time T. */
  readonly eps: number
  /**
   * Standard deviation of x0 − μ over the training images, on the scale of `maxSigma`,
   * for a network whose output is scaled by it (σ_data of arXiv:2206.00364, eq. 7). If
   * undefined, the network predicts noise, as published ones do.
   */
  readonly dataSigma?: number | undefined
}

/** Tables over t = 0 … steps; t = 0 is never visited. */
export interface Sde {
  readonly kind: SdeOptions['kind']
  readonly steps: number
  /** Time passed to the network at t. */
  readonly times: Float64Array
  readonly maxSigma: number
  readonly dataSigma: number | undefined
  readonly dt: number
  readonly theta: Float64Array
  readonly sigma: Float64Array
  /** Sum of theta over 1 … t. */
  readonly cumulative: Float64Array
  readonly sigmaBar: Float64Array
}

/** Default SDE of published restoration networks. */
export const restoringSde: SdeOptions = {
  kind: 'restoring',
  schedule: 'cosine',
  steps: 100,
  maxSigma: 50,
  eps: 0.005,
}
/** Options of the denoising SDE of the official code. */
export const denoisingSde: SdeOptions = {
  kind: 'denoising',
  schedule: 'cosine',
  steps: 1000,
  maxSigma: 70,
  eps: 0.04,
}

// NOTE: the tables are rounded to float32 where the official code rounds. For small x,
// 1 − e^(−x) is then off by 1e-4 or more; published weights were trained with these
// values. Everything computed from the tables is float64.
const f32 = Math.fround

function thetas(schedule: Schedule, steps: number): Float64Array {
  const table = new Float64Array(steps + 1)
  if (schedule === 'constant') return table.fill(1)
  if (schedule === 'linear') {
    const scale = 1000 / (steps + 1)
    return table.map((_, t) => f32(scale * (1e-4 + ((0.02 - 1e-4) * t) / steps)))
  }
  // NOTE: 1 − f(t+1)/f(0) is the complement of the cumulative curve, not of the ratio of
  // neighbors; published weights need it.
  const f = (i: number) => {
    const share = f32(f32(f32(i / (steps + 2)) + f32(0.008)) / f32(1.008))
    const cosine = f32(Math.cos(f32(f32(share * f32(Math.PI)) * 0.5)))
    return f32(cosine * cosine)
  }
  return table.map((_, t) => f32(1 - f32(f(t + 1) / f(0))))
}

/** Sum of theta over 1 … t. */
function sumsOf(theta: Float64Array): Float64Array {
  let total = 0
  return theta.map((value) => {
    total += value
    return f32(f32(total) - theta[0]!)
  })
}

/**
 * For each step of the cumulative schedule `sampled`, the (fractional) time of
 * `trained` with the same share of the total decay.
 * NOTE: the official code passes even times. Halfway through 20 steps, the state then has 0.31 of the clean
 * image, through 4 steps 0.19; in training it had 0.36.
 */
function matchTimes(sampled: Float64Array, trained: Float64Array): Float64Array {
  const shares = trained.map((value) => value / trained.at(-1)!)
  return sampled.map((value) => {
    const share = value / sampled.at(-1)!
    const next = shares.findIndex((candidate) => candidate >= share)
    if (next <= 0) return next
    const before = shares[next - 1]!
    const after = shares[next]!
    return next - 1 + (share - before) / (after - before)
  })
}

/** Creates a mean-reverting SDE with its schedules. */
export function createSde(options: SdeOptions): Sde {
  const { kind, schedule, steps, sampleSteps = steps, sampleTimes, maxSigma, eps, dataSigma } = options
  const areCounts = [steps, sampleSteps].every((n) => Number.isInteger(n) && n > 0)
  if (!areCounts || !(maxSigma > 0) || !(eps > 0 && eps < 1)) {
    throw new RestoreError(
      'usage',
      `SDE: expected step counts that are positive integers, a deviation above 0 and eps between 0 and 1, got ${steps}, ${sampleSteps}, ${maxSigma} and ${eps}`,
    )
  }
  if (dataSigma !== undefined && !(kind === 'restoring' && dataSigma > 0))
    throw new RestoreError(
      'usage',
      `SDE: expected dataSigma above 0 and a restoring SDE, got ${dataSigma} and a ${kind} one`,
    )
  const isLevel = kind === 'restoring' ? maxSigma >= 1 : maxSigma > 1
  const unit = isLevel ? 255 : 1
  const lambda = maxSigma / unit
  const theta = thetas(schedule, sampleSteps)
  const cumulative = sumsOf(theta)
  const dt = f32(f32(-1 / cumulative[sampleSteps]!) * f32(Math.log(eps)))
  return {
    kind,
    steps: sampleSteps,
    times:
      sampleTimes === 'matched'
        ? matchTimes(cumulative, sumsOf(thetas(schedule, steps)))
        : theta.map((_, t) => (t * steps) / sampleSteps),
    maxSigma: lambda,
    dataSigma: dataSigma === undefined ? undefined : dataSigma / unit,
    dt,
    theta,
    cumulative,
    sigma: theta.map((value) => lambda * Math.sqrt(2 * value)),
    sigmaBar: cumulative.map((value) => lambda * Math.sqrt(f32(1 - decay(2 * value, dt)))),
  }
}

/** e^(−rate·dt). */
function decay(rate: number, dt: number): number {
  return f32(Math.exp(f32(-rate * dt)))
}

/** Terms of a linear form: x0, its degraded version μ, x_t, the network's output at x_t, fresh noise. */
export type Term = 'clean' | 'degraded' | 'state' | 'prediction' | 'noise'

/** A weighted sum of images. */
export type LinearForm = Readonly<Partial<Record<Term, number>>>

const terms = ['clean', 'degraded', 'state', 'prediction', 'noise'] as const

function sum(...parts: readonly (readonly [scale: number, form: LinearForm])[]): LinearForm {
  const total: Partial<Record<Term, number>> = {}
  for (const [scale, form] of parts)
    for (const term of terms) {
      const value = form[term]
      if (value !== undefined) total[term] = (total[term] ?? 0) + scale * value
    }
  return total
}

/** Table entries at time t, and the coefficients derived from them. */
function at({ steps, theta, sigma, sigmaBar, cumulative, dt }: Sde, t: number) {
  if (!Number.isInteger(t) || t < 0 || t > steps)
    throw new RestoreError('usage', `SDE: expected an integer time from 0 to ${steps}, got ${t}`)
  const thetaT = theta[t] ?? 0
  const cumulativeT = cumulative[t] ?? 0
  // A, B and C of the paper's eq. 13.
  const a = decay(thetaT, dt)
  const b = decay(cumulativeT, dt)
  const c = decay(cumulative[Math.max(t - 1, 0)] ?? 0, dt)
  const [restOfA = 0, restOfB = 0, restOfC = 0] = [a, b, c].map((value) => f32(1 - f32(value * value)))
  return {
    theta: thetaT,
    sigma: sigma[t] ?? 0,
    sigmaBar: sigmaBar[t] ?? 0,
    a,
    b,
    c,
    /** 1 − A², 1 − B², 1 − C². */
    restOfA,
    restOfB,
    restOfC,
  }
}

/** Mean of x_t given x0 (eq. 6). */
export function marginalMean(sde: Sde, t: number): LinearForm {
  if (sde.kind === 'denoising') return { clean: 1 }
  const { b } = at(sde, t)
  return { clean: b, degraded: 1 - b }
}

/** Distribution of x_t given x0. */
export function marginal(sde: Sde, t: number): LinearForm {
  return { ...marginalMean(sde, t), noise: at(sde, t).sigmaBar }
}

/** Initial state of sampling: the degraded image with noise; for the denoising SDE, the image as it is. */
export function initial(sde: Sde): LinearForm {
  return sde.kind === 'restoring' ? { degraded: 1, noise: sde.maxSigma } : { degraded: 1 }
}

/** Noise in x_t, given x0. */
export function trueNoise(sde: Sde, t: number): LinearForm {
  const scale = 1 / at(sde, t).sigmaBar
  return sum([scale, { state: 1 }], [-scale, marginalMean(sde, t)])
}

/** Noise in x_t according to the network's output. */
function predictedNoise(sde: Sde, t: number): LinearForm {
  if (sde.dataSigma === undefined) return { prediction: 1 }
  const { clean = 0, ...rest } = trueNoise(sde, t)
  return sum([1, rest], [clean, cleanEstimate(sde, t)])
}

/** ∇ log p(x_t) according to the network's output. */
export function score(sde: Sde, t: number): LinearForm {
  return sum([-1 / at(sde, t).sigmaBar, predictedNoise(sde, t)])
}

/**
 * Coefficients of a network's scaled output F: x0 − μ = skip · (x_t − μ) + out · F. At low noise the state
 * passes through, and F has deviation 1 at every time.
 */
function scaling(sde: Sde, t: number, dataSigma: number): { readonly skip: number; readonly out: number } {
  const { b, sigmaBar } = at(sde, t)
  const variance = (b * dataSigma) ** 2 + sigmaBar ** 2
  return { skip: (b * dataSigma ** 2) / variance, out: (sigmaBar * dataSigma) / Math.sqrt(variance) }
}

/** Deterministic part of a forward step. */
export function drift(sde: Sde, t: number): LinearForm {
  const rate = at(sde, t).theta * sde.dt
  return sde.kind === 'restoring' ? { degraded: rate, state: -rate } : { clean: rate, state: -rate }
}

/** Random part of a step. */
export function dispersion(sde: Sde, t: number): LinearForm {
  return { noise: at(sde, t).sigma * Math.sqrt(sde.dt) }
}

/** Drift of the reverse-time SDE (eq. 5), or of the ODE with the same marginals. */
export function reverseDrift(sde: Sde, t: number, mode: 'sde' | 'ode'): LinearForm {
  const { sigma, b } = at(sde, t)
  const scale = sigma ** 2 * sde.dt
  if (sde.kind === 'denoising') {
    const share = mode === 'sde' ? (1 + b * b) / 2 : (b * b) / 2
    return sum([-scale * share, score(sde, t)])
  }
  return sum([1, drift(sde, t)], [mode === 'sde' ? -scale : -scale / 2, score(sde, t)])
}

/** x0 from x_t and the network's output. */
export function cleanEstimate(sde: Sde, t: number): LinearForm {
  const { b, sigmaBar } = at(sde, t)
  if (sde.dataSigma !== undefined) {
    const { skip, out } = scaling(sde, t, sde.dataSigma)
    return { state: skip, degraded: 1 - skip, prediction: out }
  }
  if (sde.kind === 'denoising') return { state: 1, prediction: -sigmaBar }
  return { state: 1 / b, degraded: 1 - 1 / b, prediction: -sigmaBar / b }
}

/** Most likely x_(t−1) given x_t and x0 (eq. 13), the target of training. */
export function optimum(sde: Sde, t: number): LinearForm {
  const { a, c, restOfA, restOfB, restOfC } = at(sde, t)
  const state = (a * restOfC) / restOfB
  if (sde.kind === 'denoising') return { state, clean: 1 - state }
  const clean = (c * restOfA) / restOfB
  return { state, clean, degraded: 1 - state - clean }
}

/** Standard deviation of x_(t−1) given x_t and x0. */
export function optimumDeviation(sde: Sde, t: number): number {
  const { restOfA, restOfB, restOfC } = at(sde, t)
  const variance = (restOfA * restOfC) / restOfB
  return Math.sqrt(Math.max(variance, 1e-20 * sde.dt)) * sde.maxSigma
}

export const samplers = ['posterior', 'sde', 'mean', 'ode'] as const
export type Sampler = (typeof samplers)[number]

/** x_(t−1) from x_t, the prediction and fresh noise; 'mean' is the reverse SDE without its noise. */
export function reverseStep(sde: Sde, t: number, sampler: Sampler): LinearForm {
  if (sampler === 'posterior') {
    if (sde.kind === 'denoising')
      throw new RestoreError('usage', 'sampler: expected sde, mean or ode for a denoising SDE, got posterior')
    const { clean = 0, ...rest } = optimum(sde, t)
    return sum([1, rest], [clean, cleanEstimate(sde, t)], [optimumDeviation(sde, t), { noise: 1 }])
  }
  const mean = sum([1, { state: 1 }], [-1, reverseDrift(sde, t, sampler === 'ode' ? 'ode' : 'sde')])
  return sampler === 'sde' ? sum([1, mean], [-1, dispersion(sde, t)]) : mean
}

/** Time at which the denoising SDE has the noise level `sigma` (in [0, 1]) of an image; 0 if t = 1 has more. */
export function startStep(sde: Sde, sigma: number): number {
  if (sde.kind !== 'denoising' || !(sigma > 0 && sigma <= sde.maxSigma)) {
    throw new RestoreError(
      'usage',
      `start step: expected a denoising SDE and a noise level up to ${sde.maxSigma} (of 1), got ${sde.kind} and ${sigma}`,
    )
  }
  const target = -Math.log(1 - (sigma / sde.maxSigma) ** 2 + 1e-6) / (2 * sde.dt)
  const distance = (t: number) => Math.abs(sde.cumulative[t]! - target)
  let best = 0
  for (let t = 1; t <= sde.steps; t++) if (distance(t) < distance(best)) best = t
  return best
}

/** Images that a form may combine, all [b c h w]. */
export type Terms = Readonly<Partial<Record<Term, Tensor>>>

function mix(images: Terms, weight: (term: Term) => Tensor | number | undefined): Tensor {
  let total: Tensor | undefined
  for (const term of terms) {
    const factor = weight(term)
    if (factor === undefined) continue
    const image = images[term]
    if (!image) throw new RestoreError('usage', `SDE: expected an image '${term}', got none`)
    const part = image.mul(factor)
    total = total ? total.add(part) : part
  }
  if (!total)
    throw new RestoreError('usage', 'SDE: expected a form with at least one image, got an empty one')
  return total
}

/** Evaluates a form on images. */
export function evaluate(form: LinearForm, images: Terms): Tensor {
  return mix(images, (term) => form[term])
}

/** Evaluates one form per image of the batch. */
export function evaluateEach(forms: readonly LinearForm[], images: Terms): Tensor {
  return mix(images, (term) => {
    if (forms.every((form) => form[term] === undefined)) return undefined
    const values = Float32Array.from(forms, (form) => form[term] ?? 0)
    return constant(values, [forms.length, 1, 1, 1])
  })
}

/** Inputs of {@link matchingLoss}, images as [b c h w]. */
export interface MatchingInputs {
  readonly clean: Tensor
  /** Absent for the denoising SDE. */
  readonly degraded?: Tensor | undefined
  /** Standard normal. */
  readonly noise: Tensor
  /** One time in 1 … steps per image. */
  readonly times: readonly number[]
}

/** Tensors of a matching loss. */
export interface Matching {
  readonly state: Tensor
  readonly prediction: Tensor
  /** Mean of the reverse step. */
  readonly expected: Tensor
  readonly optimum: Tensor
  /** Mean distance of `expected` and `optimum` (eq. 14). */
  readonly loss: Tensor
}

/** How {@link matchingLoss} measures. */
export interface MatchingOptions {
  /** Absolute or squared differences. @default 'l1' */
  readonly distance?: 'l1' | 'l2'
  /** Whether the batch counts by its mean {@link matchingWeight}. @default false */
  readonly isWeighted?: boolean
}

/** Weight of a time t in the weighted loss: e^(−θ̄_t), or the dispersion σ_t² of the denoising SDE. */
export function matchingWeight(sde: Sde, t: number): number {
  const { sigma, b } = at(sde, t)
  return sde.kind === 'denoising' ? sigma ** 2 : b
}

/**
 * Training objective: the reverse step from x_t should reach the most likely x_(t−1).
 * `predict` is the network at `times`.
 */
export function matchingLoss(
  sde: Sde,
  inputs: MatchingInputs,
  predict: (state: Tensor) => Tensor,
  { distance = 'l1', isWeighted = false }: MatchingOptions = {},
): Matching {
  const { images, each } = atTimes(sde, inputs)
  const prediction = predict(images.state)
  const expected = each((t) => reverseStep(sde, t, 'mean'), { ...images, prediction })
  const target = each((t) => optimum(sde, t), images)
  const difference = expected.sub(target)
  const loss = (distance === 'l1' ? difference.abs() : difference.mul(difference)).mean()
  const matching = { state: images.state, prediction, expected, optimum: target }
  if (!isWeighted) return { ...matching, loss }
  // NOTE: the official code broadcasts weights [b 1 1 1] against distances [b n], so that every image counts
  // by the mean weight of the batch.
  const weights = inputs.times.map((t) => matchingWeight(sde, t))
  return { ...matching, loss: loss.mul(weights.reduce((sum, weight) => sum + weight, 0) / weights.length) }
}

/**
 * Training objective for a scaled output: the mean absolute error of its x0. Each time
 * weighs as much as its remaining error, so a short training is spent on restoration
 * rather than on noise too weak to distinguish from the image.
 */
export function cleanLoss(sde: Sde, inputs: MatchingInputs, predict: (state: Tensor) => Tensor): Tensor {
  const { images, each } = atTimes(sde, inputs)
  const withPrediction = { ...images, prediction: predict(images.state) }
  return each((t) => cleanEstimate(sde, t), withPrediction)
    .sub(images.clean)
    .abs()
    .mean()
}

/** The images of a batch with their states, and an evaluator of forms at its times. */
function atTimes(sde: Sde, { clean, degraded, noise, times }: MatchingInputs) {
  const known = degraded ? { clean, degraded, noise } : { clean, noise }
  const each = (form: (t: number) => LinearForm, images: Terms) => evaluateEach(times.map(form), images)
  return { images: { ...known, state: each((t) => marginal(sde, t), known) }, each }
}
