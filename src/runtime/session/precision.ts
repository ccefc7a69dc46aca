// Selects what a network computes in: float32, or bfloat16 on processors that have it.

import { RestoreError } from '../../core/errors.ts'
import { type OptionRules, oneOf } from '../../core/options.ts'
import { processorFeatures } from '../../files/processor.ts'
import type { RestoringNetwork } from '../graphs/imageGraph.ts'
import { type DeviceRequest, placementsFor } from './devices.ts'
import type { Placement } from './protocol.ts'

/** Option that selects what products are computed in. */
export interface PrecisionRequest {
  /**
   * 'float32'; 'bfloat16', on a processor with avx512_bf16 or AMX, with libtorch, for networks that restore in one pass;
   * or 'auto', which is bfloat16 where it was measured to be faster and at least 50 dB close, else float32.
   * @default 'float32'
   */
  readonly dtype?: string | undefined
}

export const precisionRules: OptionRules<PrecisionRequest> = { dtype: oneOf(['auto', 'float32', 'bfloat16']) }

/** Models that 'auto' runs in bfloat16: bench/README.md has times and losses. */
const measured: ReadonlySet<string> = new Set([
  ...['light-photo', 'light-denoise', 'light-weather'],
  ...['light-upscale-x2', 'dasr-light-x2'],
])

/** A network to place. */
export interface PlacedNetwork {
  /** Undefined for an ONNX file that is not open yet. */
  readonly network: RestoringNetwork | undefined
  /** Id of the model whose own weights it has; undefined for other weights, even of the same network. */
  readonly model?: string | undefined
}

const bfloat16Placement: Placement = { backend: 'torch', device: 'cpu', deviceIndex: 0, dtype: 'bfloat16' }

/**
 * Lists placements of a restoring network to try, in order; an explicit device or dtype has no fallback.
 * @throws RestoreError 'usage', or 'environment' on a processor without bfloat16
 */
export function placementsIn(
  { dtype = 'float32', ...request }: DeviceRequest & PrecisionRequest,
  { network, model = '' }: PlacedNetwork,
): readonly Placement[] {
  const placements = placementsFor(request)
  if (dtype === 'auto') return measured.has(model) ? placementsOfMeasured(request) : placements
  if (dtype === 'float32') return placements
  const obstacle = obstacleToBfloat16(request, network)
  if (obstacle) throw obstacle
  return [bfloat16Placement]
}

/**
 * Lists placements of a measured model with dtype 'auto', in order: on a processor that gains by it, bfloat16 precedes
 * float32.
 * @throws RestoreError 'usage'
 */
export function placementsOfMeasured(request: DeviceRequest): readonly Placement[] {
  const placements = placementsFor(request)
  const features = processorFeatures()
  // AMX has not been measured.
  const gains = request.backend !== 'onnx' && features.has('avx512_bf16') && !features.has('amx_bf16')
  return placements.flatMap((one) => (gains && one.device === 'cpu' ? [bfloat16Placement, one] : [one]))
}

function obstacleToBfloat16(
  { device = 'auto', backend = 'auto' }: DeviceRequest,
  network: RestoringNetwork | undefined,
): RestoreError | undefined {
  const usage = (expected: string, got = 'bfloat16') =>
    new RestoreError('usage', `${expected}, got ${got}; leave it out`)
  if (!network) return usage('dtype: expected auto or float32 for an ONNX file, which has its own')
  if (network.role.kind !== 'restores')
    return usage(
      `dtype: expected auto or float32 for ${network.id}, which does not restore a photo in one pass`,
    )
  if (device !== 'auto' && device !== 'cpu')
    return usage('device: expected auto or cpu with bfloat16, which is untested on others', device)
  if (backend === 'onnx')
    return usage(
      'backend: expected auto or torch with bfloat16, which ONNX Runtime does not compute in',
      backend,
    )
  const features = processorFeatures()
  if (features.has('avx512_bf16') || features.has('amx_bf16')) return undefined
  return new RestoreError(
    'environment',
    'dtype: expected a processor with avx512_bf16 or amx_bf16 for bfloat16, got one without, where it is slower than float32; leave it out',
  )
}
