// A restricted unpickler (protocols 0 to 5). It builds plain data and the stand-ins that the host allows, and
// runs no code. Opcodes: Python's Lib/pickletools.py. Iterative, with a limit on instructions and objects.

import type { ByteCursor } from './byteCursor.ts'
import { malformed } from './checkpoint.ts'

/**
 * Python's str, bytes, int, float, bool and None; list and tuple as arrays, dict as
 * Map, set as Set; others as objects.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | PickleObject

/** Inert stand-in for an instance: its class name, constructor arguments and attributes. */
export class PickleObject {
  readonly className: string
  readonly args: readonly PickleValue[]
  attributes: ReadonlyMap<PickleValue, PickleValue> = new Map()

  constructor(className: string, args: readonly PickleValue[] = []) {
    this.className = className
    this.args = args
  }
}

/** A class or function that the host allows, by its qualified name; `call` builds its inert result. */
export class PickleGlobal extends PickleObject {
  readonly call: (args: PickleValue[]) => PickleValue

  constructor(name: string, call: (args: PickleValue[]) => PickleValue) {
    super(name)
    this.call = call
  }
}

export interface PickleHost {
  /** Returns the stand-in for `module.name`; throws if it is not allowed. */
  findGlobal(module: string, name: string): PickleGlobal
  /** Resolves a persistent id (of a storage). */
  loadPersistent(id: PickleValue): PickleValue
}

// A training checkpoint with 60,000 tensors takes about 3 million steps and half a million objects.
const maxSteps = 8_000_000
const maxObjects = 1_000_000
const maxNumberLength = 1024
const stop = 0x2e

/** Reads one pickle and leaves the cursor after it. */
export function unpickle(cursor: ByteCursor, host: PickleHost): PickleValue {
  const machine = new Machine(cursor, host)
  for (;;) {
    machine.countSteps(1)
    const at = cursor.position
    const opcode = cursor.uint8()
    if (opcode === stop) return machine.pop()
    const run = instructions.get(opcode)
    if (!run) {
      throw malformed(
        `byte ${at} holds the unknown pickle opcode 0x${opcode.toString(16)}: the file is damaged`,
      )
    }
    run(machine)
  }
}

class Machine {
  readonly cursor: ByteCursor
  readonly host: PickleHost
  readonly stack: PickleValue[] = []
  readonly marks: number[] = []
  readonly memo = new Map<number, PickleValue>()
  #objects = 0
  #steps = 0

  constructor(cursor: ByteCursor, host: PickleHost) {
    this.cursor = cursor
    this.host = host
  }

  /** Counts instructions, and the items that a call may copy. */
  countSteps(steps: number): void {
    this.#steps += steps
    if (this.#steps > maxSteps)
      throw malformed(`its pickle takes more than ${maxSteps} steps, which no checkpoint needs`)
  }

  push(value: PickleValue): void {
    if (typeof value === 'object' && value !== null && ++this.#objects > maxObjects) {
      throw malformed(`its pickle creates more than ${maxObjects} objects, which no checkpoint needs`)
    }
    this.stack.push(value)
  }

  pop(): PickleValue {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) throw this.damaged('pops from an empty stack')
    return this.stack.pop()!
  }

  top(): PickleValue {
    const value = this.pop()
    this.stack.push(value)
    return value
  }

  popMark(): PickleValue[] {
    const mark = this.marks.pop()
    if (mark === undefined) throw this.damaged('pops a missing mark')
    return this.stack.splice(mark)
  }

  popArgs(): PickleValue[] {
    const args = this.pop()
    if (!Array.isArray(args)) throw this.damaged(`calls with ${describe(args)} instead of a tuple`)
    return args
  }

  popString(): string {
    const value = this.pop()
    if (typeof value !== 'string') throw this.damaged(`names a class by ${describe(value)}`)
    return value
  }

  call(callee: PickleValue | undefined, args: PickleValue[]): void {
    if (!(callee instanceof PickleGlobal)) throw this.damaged(`calls ${describe(callee)}`)
    for (const arg of args) {
      if (Array.isArray(arg)) this.countSteps(arg.length)
      if (arg instanceof Map || arg instanceof Set) this.countSteps(arg.size)
    }
    this.push(callee.call(args))
  }

  getMemo(index: number): void {
    const value = this.memo.get(index)
    if (value === undefined) throw this.damaged(`refers to memo ${index}, which is not set`)
    this.stack.push(value)
  }

  setMemo(index: number, value: PickleValue): void {
    this.memo.set(index, value)
    if (this.memo.size > maxObjects * 2)
      throw malformed("its pickle's memo holds more than any checkpoint needs")
  }

  setItems(items: readonly PickleValue[]): void {
    const target = this.top()
    if (!(target instanceof Map)) throw this.damaged(`sets items of ${describe(target)}`)
    if (items.length % 2 !== 0) throw this.damaged('sets a key without a value')
    for (let index = 0; index < items.length; index += 2) target.set(items[index]!, items[index + 1]!)
  }

  append(items: readonly PickleValue[]): void {
    const target = this.top()
    if (!Array.isArray(target)) throw this.damaged(`appends to ${describe(target)}`)
    for (const item of items) target.push(item)
  }

  addItems(items: readonly PickleValue[]): void {
    const target = this.top()
    if (!(target instanceof Set)) throw this.damaged(`adds to ${describe(target)}`)
    for (const item of items) target.add(item)
  }

  /**
   * `__setstate__`: keeps the attributes of inert objects; those of dictionaries and
   * tensors are irrelevant to weights.
   */
  build(): void {
    const state = this.pop()
    const target = this.top()
    if (!(target instanceof PickleObject || target instanceof Map || target instanceof Set)) {
      throw this.damaged(`sets attributes of ${describe(target)}`)
    }
    if (target instanceof PickleGlobal) throw this.damaged(`sets attributes of the class ${target.className}`)
    if (target instanceof PickleObject && state instanceof Map) target.attributes = state
  }

  number<T>(text: string, parse: (text: string) => T | undefined): T {
    const value = parse(text)
    if (value === undefined) throw this.damaged(`contains the invalid number '${text.slice(0, 40)}'`)
    return value
  }

  damaged(problem: string): Error {
    return malformed(`its pickle ${problem} (before byte ${this.cursor.position}): the file is damaged`)
  }
}

type Instruction = (machine: Machine) => void

const push =
  (read: (cursor: ByteCursor) => PickleValue): Instruction =>
  (m) =>
    m.push(read(m.cursor))

const pushTuple =
  (length: number): Instruction =>
  (m) => {
    const items = Array.from({ length }, () => m.pop())
    m.push(items.reverse())
  }

const reject =
  (feature: string): Instruction =>
  () => {
    throw malformed(`its pickle uses ${feature}, which is not allowed in a checkpoint`)
  }

/** One entry per opcode, in the order of the pickle protocols. */
const instructions: ReadonlyMap<number, Instruction> = new Map<number, Instruction>([
  // Stack, memo and framing.
  [0x28, (m) => void m.marks.push(m.stack.length)], // MARK
  [0x30, popOne], // POP
  [0x31, (m) => void m.popMark()], // POP_MARK
  [0x32, (m) => m.push(m.top())], // DUP
  [0x67, (m) => m.getMemo(m.number(m.cursor.line(maxNumberLength), parseIndex))], // GET
  [0x68, (m) => m.getMemo(m.cursor.uint8())], // BINGET
  [0x6a, (m) => m.getMemo(m.cursor.uint32())], // LONG_BINGET
  [0x70, (m) => m.setMemo(m.number(m.cursor.line(maxNumberLength), parseIndex), m.top())], // PUT
  [0x71, (m) => m.setMemo(m.cursor.uint8(), m.top())], // BINPUT
  [0x72, (m) => m.setMemo(m.cursor.uint32(), m.top())], // LONG_BINPUT
  [0x94, (m) => m.setMemo(m.memo.size, m.top())], // MEMOIZE
  [0x80, checkProtocol], // PROTO
  [0x95, (m) => m.cursor.require(m.cursor.length64())], // FRAME
  // Plain values.
  [0x4e, push(() => null)], // NONE
  [0x88, push(() => true)], // NEWTRUE
  [0x89, push(() => false)], // NEWFALSE
  [0x49, (m) => m.push(m.number(m.cursor.line(maxNumberLength), parseInt10))], // INT
  [0x4c, (m) => m.push(m.number(m.cursor.line(maxNumberLength).replace(/L$/, ''), parseInt10))], // LONG
  [0x4a, push((c) => c.int32())], // BININT
  [0x4b, push((c) => c.uint8())], // BININT1
  [0x4d, push((c) => c.uint16())], // BININT2
  [0x8a, push((c) => signedInteger(c, c.uint8()))], // LONG1
  [0x8b, push((c) => signedInteger(c, c.uint32()))], // LONG4
  [0x46, (m) => m.push(m.number(m.cursor.line(maxNumberLength), parseFloat64))], // FLOAT
  [0x47, push((c) => c.float64())], // BINFLOAT
  [0x53, push((c) => resolveEscapes(c.line().slice(1, -1)))], // STRING
  [0x54, push((c) => c.looseUtf8(c.uint32()))], // BINSTRING
  [0x55, push((c) => c.looseUtf8(c.uint8()))], // SHORT_BINSTRING
  [0x56, push((c) => resolveEscapes(c.line()))], // UNICODE
  [0x58, push((c) => c.utf8(c.uint32()))], // BINUNICODE
  [0x8c, push((c) => c.utf8(c.uint8()))], // SHORT_BINUNICODE
  [0x8d, push((c) => c.utf8(c.length64()))], // BINUNICODE8
  [0x42, push((c) => c.take(c.uint32()))], // BINBYTES
  [0x43, push((c) => c.take(c.uint8()))], // SHORT_BINBYTES
  [0x8e, push((c) => c.take(c.length64()))], // BINBYTES8
  [0x96, push((c) => c.take(c.length64()))], // BYTEARRAY8
  // Containers.
  [0x5d, push(() => [])], // EMPTY_LIST
  [0x29, push(() => [])], // EMPTY_TUPLE
  [0x7d, push(() => new Map())], // EMPTY_DICT
  [0x8f, push(() => new Set())], // EMPTY_SET
  [0x6c, (m) => m.push(m.popMark())], // LIST
  [0x74, (m) => m.push(m.popMark())], // TUPLE
  [0x85, pushTuple(1)], // TUPLE1
  [0x86, pushTuple(2)], // TUPLE2
  [0x87, pushTuple(3)], // TUPLE3
  [0x64, makeDict], // DICT
  [0x91, (m) => m.push(new Set(m.popMark()))], // FROZENSET
  [0x61, (m) => m.append([m.pop()])], // APPEND
  [0x65, (m) => m.append(m.popMark())], // APPENDS
  [0x73, (m) => m.setItems([m.pop(), m.pop()].reverse())], // SETITEM
  [0x75, (m) => m.setItems(m.popMark())], // SETITEMS
  [0x90, (m) => m.addItems(m.popMark())], // ADDITEMS
  // Classes and calls, all through the host's allow-list.
  [0x63, (m) => m.push(m.host.findGlobal(m.cursor.line(), m.cursor.line()))], // GLOBAL
  [0x93, stackGlobal], // STACK_GLOBAL
  [0x52, callWith(1)], // REDUCE
  [0x81, callWith(1)], // NEWOBJ
  [0x92, callWith(2)], // NEWOBJ_EX
  [0x69, (m) => m.call(m.host.findGlobal(m.cursor.line(), m.cursor.line()), m.popMark())], // INST
  [0x6f, makeObject], // OBJ
  [0x62, (m) => m.build()], // BUILD
  [0x51, (m) => m.push(m.host.loadPersistent(m.pop()))], // BINPERSID
  [0x50, reject('persistent ids as text')], // PERSID
  [0x82, reject('the extension registry')], // EXT1
  [0x83, reject('the extension registry')], // EXT2
  [0x84, reject('the extension registry')], // EXT4
  [0x97, reject('out-of-band buffers')], // NEXT_BUFFER
  [0x98, reject('out-of-band buffers')], // READONLY_BUFFER
])

/** POP: a value, or the mark if nothing was pushed after it. */
function popOne(m: Machine): void {
  if (m.marks.at(-1) === m.stack.length) m.marks.pop()
  else m.pop()
}

function checkProtocol(m: Machine): void {
  const protocol = m.cursor.uint8()
  if (protocol > 5) throw malformed(`expected a pickle of protocol 0 to 5, got ${protocol}`)
}

function makeDict(m: Machine): void {
  const items = m.popMark()
  m.push(new Map())
  m.setItems(items)
}

function stackGlobal(m: Machine): void {
  const name = m.popString()
  m.push(m.host.findGlobal(m.popString(), name))
}

/**
 * Calls the class below `argCount` argument tuples; the second is a dictionary of
 * keywords, which stand-ins ignore.
 */
function callWith(argCount: 1 | 2): Instruction {
  return (m) => {
    if (argCount === 2) m.pop()
    const args = m.popArgs()
    m.call(m.pop(), args)
  }
}

function makeObject(m: Machine): void {
  const [callee, ...args] = m.popMark()
  m.call(callee, args)
}

function parseIndex(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined
}

function parseInt10(text: string): PickleValue | undefined {
  if (text === '00') return false
  if (text === '01') return true
  return /^-?\d+$/.test(text) ? narrow(BigInt(text)) : undefined
}

function parseFloat64(text: string): number | undefined {
  if (/^[+-]?(inf|nan)$/.test(text))
    return text.endsWith('nan') ? NaN : text.startsWith('-') ? -Infinity : Infinity
  return /^[+-]?[\d.]+([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined
}

/** Two's complement, little-endian. */
function signedInteger(cursor: ByteCursor, length: number): number | bigint {
  if (length > maxNumberLength) {
    throw malformed(`its pickle contains an integer of ${length} bytes, which no checkpoint needs`)
  }
  if (length === 0) return 0
  const digits = Array.from(cursor.take(length), (byte) => byte.toString(16).padStart(2, '0'))
  return narrow(BigInt.asIntN(length * 8, BigInt(`0x${digits.reverse().join('')}`)))
}

function narrow(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** Resolves the escapes of protocol 0's text (raw-unicode-escape, or a Python repr). */
function resolveEscapes(text: string): string {
  const escapes = /\\(?:U([\da-fA-F]{8})|u([\da-fA-F]{4})|x([\da-fA-F]{2})|([\\'"]))/g
  return text.replace(escapes, (all, long, short, byte, character) => {
    if (character) return character
    const code = Number.parseInt(long ?? short ?? byte, 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : all
  })
}

/** Describes a value, for messages. */
export function describe(value: PickleValue | undefined): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Map) return 'a dictionary'
  if (value instanceof Set) return 'a set'
  if (value instanceof Uint8Array) return 'bytes'
  if (value instanceof PickleObject) return value.className
  return `the ${typeof value} ${String(value).slice(0, 40)}`
}
