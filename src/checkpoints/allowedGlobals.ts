// Allow-list of the classes and functions that a checkpoint may name, each with an
// inert stand-in. All others are rejected.

import type { DType } from '../core/data.ts'
import { malformed } from './checkpoint.ts'
import { describe, PickleGlobal, PickleObject, type PickleValue } from './unpickle.ts'

/** A storage as described in a pickle: element type, key of its record and number of elements. */
export class StorageRef extends PickleObject {
  readonly dtype: DType
  readonly key: string
  /** Number of elements; bytes for `UntypedStorage`, whose dtype is uint8 here. */
  readonly numel: number
  /** Offset in the stored storage, in elements, for views of the legacy format. */
  readonly start: number

  constructor(fields: { dtype: DType; key: string; numel: number; start: number }) {
    super('a torch storage')
    this.dtype = fields.dtype
    this.key = fields.key
    this.numel = fields.numel
    this.start = fields.start
  }
}

/** A tensor as described in a pickle, not yet checked against its storage. */
export class TensorRef extends PickleObject {
  readonly storage: StorageRef
  readonly dtype: DType
  readonly offset: PickleValue
  readonly shape: PickleValue
  readonly strides: PickleValue

  constructor(args: readonly PickleValue[], dtype?: DType) {
    super('a tensor')
    const [storage, offset, shape, strides] = args
    if (!(storage instanceof StorageRef))
      throw malformed(`expected a tensor's storage, got ${describe(storage)}`)
    this.storage = storage
    this.dtype = dtype ?? storage.dtype
    this.offset = offset ?? null
    this.shape = shape ?? null
    this.strides = strides ?? null
  }
}

/** Dtype of each storage class. */
const storageTypes = {
  DoubleStorage: 'float64',
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  UntypedStorage: 'uint8',
} as const satisfies Record<string, DType>

/** Torch's dtypes by name. Unsupported ones map to undefined, and tensors of them are rejected. */
const torchDtypes: Readonly<Record<string, DType | undefined>> = {
  float64: 'float64',
  float32: 'float32',
  float16: 'float16',
  bfloat16: 'bfloat16',
  float8_e4m3fn: 'float8_e4m3fn',
  float8_e5m2: 'float8_e5m2',
  int64: 'int64',
  int32: 'int32',
  int16: 'int16',
  int8: 'int8',
  uint64: 'uint64',
  uint32: 'uint32',
  uint16: 'uint16',
  uint8: 'uint8',
  bool: 'bool',
  complex64: undefined,
  complex128: undefined,
}

/** Classes whose instances are kept as a name, arguments and attributes. */
const inertClasses = [
  'torch.Size',
  'torch.device',
  'torch.Tensor',
  'torch.nn.parameter.Parameter',
  'torch.serialization._get_layout',
  'argparse.Namespace',
  'types.SimpleNamespace',
  'pathlib.Path',
  'pathlib.PosixPath',
  'pathlib.PurePosixPath',
  'pathlib.WindowsPath',
  'pathlib.PureWindowsPath',
  'datetime.datetime',
  'datetime.date',
  'datetime.timedelta',
  'numpy.dtype',
  'numpy.ndarray',
  'numpy.core.multiarray.scalar',
  'numpy.core.multiarray._reconstruct',
  'numpy._core.multiarray.scalar',
  'numpy._core.multiarray._reconstruct',
  '_codecs.encode',
  'copyreg._reconstructor',
  'copy_reg._reconstructor',
  ...[
    'object',
    'int',
    'float',
    'bool',
    'str',
    'long',
    'unicode',
    'complex',
    'bytes',
    'bytearray',
    'slice',
    'range',
  ].flatMap((name) => [`builtins.${name}`, `__builtin__.${name}`]),
]

type Builder = (args: PickleValue[]) => PickleValue

const makeMap: Builder = (args) => {
  const map = new Map<PickleValue, PickleValue>()
  const items = args.at(-1)
  if (items instanceof Map) for (const [key, value] of items) map.set(key, value)
  if (Array.isArray(items)) {
    for (const pair of items) if (Array.isArray(pair) && pair.length === 2) map.set(pair[0]!, pair[1]!)
  }
  return map
}
const makeList: Builder = ([items]) =>
  items instanceof Set ? [...items] : Array.isArray(items) ? [...items] : []
const makeSet: Builder = ([items]) => new Set(Array.isArray(items) ? items : [])
const makeTensor: Builder = (args) => new TensorRef(args)
const first: Builder = ([value]) => value ?? null

/**
 * `_rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype)`, for
 * dtypes without a storage class.
 */
const makeTypedTensor: Builder = (args) => {
  const dtype = args[6]
  const known = dtype instanceof PickleObject ? torchDtypes[dtype.className.replace('torch.', '')] : undefined
  if (!known) throw malformed(`a tensor has the dtype ${describe(dtype)}, which is not supported`)
  return new TensorRef(args, known)
}

/**
 * `_rebuild_from_type_v2(function, type, args, state)`; its function must not be
 * itself, to rule out endless recursion.
 */
const makeTensorSubclass: Builder = ([rebuild, , args]) => {
  const isTensor = rebuild instanceof PickleGlobal && rebuild.className.startsWith('torch._utils._rebuild_')
  if (!isTensor || !Array.isArray(args)) {
    throw malformed(`a tensor is rebuilt by ${describe(rebuild)}: the file is damaged`)
  }
  return rebuild.call(args)
}

const builders: Readonly<Record<string, Builder>> = {
  'torch._utils._rebuild_tensor': makeTensor,
  'torch._utils._rebuild_tensor_v2': makeTensor,
  'torch._utils._rebuild_tensor_v3': makeTypedTensor,
  'torch._utils._rebuild_parameter': first,
  'torch._utils._rebuild_parameter_with_state': first,
  'torch._tensor._rebuild_from_type_v2': makeTensorSubclass,
  'collections.OrderedDict': makeMap,
  'collections.defaultdict': makeMap,
  'collections.Counter': makeMap,
  'collections.deque': makeList,
  'builtins.dict': makeMap,
  'builtins.list': makeList,
  'builtins.tuple': makeList,
  'builtins.set': makeSet,
  'builtins.frozenset': makeSet,
  '__builtin__.dict': makeMap,
  '__builtin__.list': makeList,
  '__builtin__.tuple': makeList,
  '__builtin__.set': makeSet,
  '__builtin__.frozenset': makeSet,
}

/** Additional functions of TorchScript archives: `restore_type_tag(value, type)` and typed lists. */
const scriptBuilders: Readonly<Record<string, Builder>> = Object.fromEntries(
  ['restore_type_tag', 'build_intlist', 'build_doublelist', 'build_boollist', 'build_tensorlist'].map(
    (name) => [`torch.jit._pickle.${name}`, first],
  ),
)

const inert = (name: string): PickleGlobal => new PickleGlobal(name, (args) => new PickleObject(name, args))

const notCallable = (name: string): PickleGlobal =>
  new PickleGlobal(name, () => {
    throw malformed(`its pickle calls ${name}: the file is damaged`)
  })

const allowed: ReadonlyMap<string, PickleGlobal> = new Map([
  ...inertClasses.map((name) => [name, inert(name)] as const),
  ...Object.entries(builders).map(([name, call]) => [name, new PickleGlobal(name, call)] as const),
  ...Object.keys(torchDtypes).map((name) => [`torch.${name}`, notCallable(`torch.${name}`)] as const),
  ...Object.keys(storageTypes).flatMap((name) =>
    ['torch', 'torch.cuda', 'torch.storage'].map(
      (module) => [`${module}.${name}`, notCallable(`${module}.${name}`)] as const,
    ),
  ),
])

const scriptAllowed: ReadonlyMap<string, PickleGlobal> = new Map(
  Object.entries(scriptBuilders).map(([name, call]) => [name, new PickleGlobal(name, call)]),
)

/**
 * Returns the stand-in for `module.name`, or throws. Classes of TorchScript
 * (`__torch__…`) are allowed in its archives only.
 */
export function findAllowed(module: string, name: string, isTorchScript = false): PickleGlobal {
  const full = `${module}.${name}`
  const found = allowed.get(full) ?? (isTorchScript ? scriptAllowed.get(full) : undefined)
  // A dotted name reaches into attributes of a module's members, so it must not match a member.
  if (found && !name.includes('.')) return found
  if (isTorchScript && /^__torch__(\.\w+)*$/.test(module) && /^\w+$/.test(name)) return inert(full)
  if (/^(ultralytics|models\.(yolo|common))\b/.test(module))
    throw malformed(
      `${full.slice(0, 200)} is not allowed in a checkpoint; this looks like a YOLO detector, which restores no photo`,
    )
  throw malformed(
    `${full.slice(0, 200)} is not allowed in a checkpoint: only tensors and plain data are read, and no code is ever run; ` +
      'if you trust the file, save only its state_dict() with torch.save',
  )
}

/**
 * Storage of the persistent id `('storage', type, key, location, numel, view?)`, and
 * the number of elements of the whole.
 */
export function storageOf(id: PickleValue): { storage: StorageRef; whole: number } {
  const [tag, type, key, , whole, view] = Array.isArray(id) ? id : []
  if (tag === 'module')
    throw malformed("it contains a whole pickled module; save the module's state_dict() instead")
  const typeName = type instanceof PickleGlobal ? type.className.split('.').at(-1) : undefined
  const dtype = Object.entries(storageTypes).find(([name]) => name === typeName)?.[1]
  if (tag !== 'storage' || !dtype || typeof key !== 'string' || !isLength(whole)) {
    throw malformed(`expected a storage's type, key and length, got ${describe(type)} and ${describe(whole)}`)
  }
  if (!Array.isArray(view)) return { storage: new StorageRef({ dtype, key, numel: whole, start: 0 }), whole }
  const [, start, numel] = view
  if (!isLength(start) || !isLength(numel) || start + numel > whole) {
    throw malformed(`a view of storage ${key} lies outside its ${whole} elements: the file is damaged`)
  }
  return { storage: new StorageRef({ dtype, key, numel, start }), whole }
}

export function isLength(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
