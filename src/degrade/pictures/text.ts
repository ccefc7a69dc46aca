// Text and screenshots: paragraphs and headlines, and windows with buttons, tables, sliders and icons, light
// and dark.

import { sinCos } from '../../core/exactMath.ts'
import type { Random } from '../../core/random.ts'
import { type Image, in8Bits } from '../../data/image.ts'
import { between } from '../numerics/fields.ts'
import {
  anyColor,
  type Box,
  brightness,
  type Color,
  contrasting,
  emptyMask,
  fillBox,
  fillDisk,
  fillPolygon,
  flat,
  hsv,
  type Mask,
  type Point,
  paint,
  type Size,
  strokeLine,
  strokePath,
} from './canvas.ts'
import { deadLeaves } from './deadLeaves.ts'
import type { Picture } from './definePicture.ts'
import { gradients } from './gradients.ts'
import { anyWord, drawGlyph, drawIdeograph, type Pen } from './strokeFont.ts'

/** Draws a pen whose small letters are `xHeight` px high. */
function anyPen(xHeight: number, turn: Pen['turn'], random: Random): Pen {
  const unit = xHeight / 4
  const boldness = random.uniform() < 0.3 ? between(random, 0.9, 1.5) : between(random, 0.4, 0.8)
  const isAliased = random.uniform() < 0.12
  return {
    unit,
    stretch: between(random, 0.8, 1.15),
    // A thinner aliased line would have gaps.
    weight: Math.max(boldness * unit, isAliased ? 1.2 : 0.8),
    level: random.uniform() < 0.6 ? 1 : between(random, 0.4, 0.8),
    slant: random.uniform() < 0.2 ? 0.22 : 0,
    hasSerifs: random.uniform() < 0.35,
    softness: isAliased ? 0 : between(random, 0.9, 1.3),
    turn,
  }
}

/** Writes words from a point over `length` px. */
function writeLine(mask: Mask, [left, top]: Point, length: number, pen: Pen, random: Random): void {
  const [sin, cos] = pen.turn
  for (let at = 0; at < length; ) {
    for (const letter of anyWord(random)) {
      if (at > length) return
      at += drawGlyph(mask, letter, [left + at * cos, top + at * sin], pen)
    }
    at += 2.4 * pen.unit
  }
}

function writeSigns(mask: Mask, [left, top]: Point, length: number, pen: Pen, random: Random): void {
  const [sin, cos] = pen.turn
  for (let at = 0; at < length; ) at += drawIdeograph(mask, [left + at * cos, top + at * sin], pen, random)
}

const upright = [0, 1] as const

/** Draws the background of a text: mostly flat, sometimes a gradient or dead leaves. */
function groundOf(size: Size, color: Color, random: Random): Image {
  const kind = random.uniform()
  const ground = flat(size, color)
  if (kind < 0.8) return ground
  const other = (kind < 0.9 ? gradients : deadLeaves).draw(size, random.fork(1))
  // Stays near the color, which keeps the text readable.
  return { ...ground, data: ground.data.map((value, i) => value + 0.35 * (other.data[i]! - value)) }
}

/** Draws paragraphs of several sizes and colors, upright or rotated. */
function drawPage(size: Size, random: Random): Image {
  const isPlain = random.uniform() < 0.5
  const paper: Color = isPlain
    ? hsv(random.uniform(), 0.08 * random.uniform(), random.uniform() < 0.7 ? 1 : 0.97)
    : anyColor(random)
  const isDark = random.uniform() < 0.3
  const ground: Color = isPlain && isDark ? hsv(random.uniform(), 0.2, 0.15 * random.uniform()) : paper
  const image = groundOf(size, ground, random)
  const mask = emptyMask(size)
  const angle =
    random.uniform() < 0.7
      ? 0
      : random.uniform() < 0.7
        ? between(random, -0.2, 0.2)
        : between(random, -1.6, 1.6)
  const turn = angle === 0 ? upright : sinCos(angle)
  const [sin, cos] = turn
  const reach = size.width + size.height
  const isIdeographic = random.uniform() < 0.15
  let down = angle === 0 ? between(random, -10, 6) : -reach / 2
  while (down < (angle === 0 ? size.height : reach / 2)) {
    const xHeight = random.uniform() < 0.75 ? between(random, 4, 9) : between(random, 9, 36)
    const pen = anyPen(xHeight, turn, random)
    const ink = isPlain
      ? random.uniform() < 0.75
        ? isDark
          ? hsv(random.uniform(), 0.1, between(random, 0.75, 1))
          : hsv(random.uniform(), 0.3, 0.3 * random.uniform())
        : contrasting(ground, 0.3, random)
      : contrasting(ground, 0.25, random)
    const spacing = pen.unit * between(random, 9.5, 14)
    const lineCount = 1 + random.integer(5)
    const margin = angle === 0 ? between(random, -20, 10) : -reach / 2
    for (let line = 0; line < lineCount; line++, down += spacing) {
      const middle: Point = angle === 0 ? [0, 0] : [size.width / 2, size.height / 2]
      const from: Point = [middle[0] + margin * cos - down * sin, middle[1] + margin * sin + down * cos]
      // Screens place lines on whole pixels.
      const start: Point = angle === 0 ? [Math.round(from[0]), Math.round(from[1])] : from
      const length =
        (angle === 0 ? size.width : reach) * (line === lineCount - 1 ? between(random, 0.3, 1) : 1) + 20
      if (isIdeographic) writeSigns(mask, start, length, pen, random)
      else writeLine(mask, start, length, pen, random)
    }
    paint(image, mask, ink)
    down += pen.unit * between(random, 0, 8)
  }
  return image
}

/** Colors of a window. */
interface Theme {
  readonly ground: Color
  readonly panel: Color
  readonly line: Color
  readonly ink: Color
  readonly accent: Color
}

function anyTheme(random: Random): Theme {
  const hue = random.uniform()
  const tint = 0.15 * random.uniform()
  const accent = hsv(random.uniform(), between(random, 0.5, 1), between(random, 0.5, 1))
  if (random.uniform() < 0.55) {
    const light = between(random, 0.9, 1)
    const ground = hsv(hue, 0.3 * tint, light)
    return {
      ground,
      panel: hsv(hue, 0.4 * tint, light - 0.06),
      line: hsv(hue, tint, light - 0.2),
      ink: hsv(hue, tint, 0.2 * random.uniform()),
      accent,
    }
  }
  const dark = between(random, 0.03, 0.2)
  const ground = hsv(hue, 2 * tint, dark)
  return {
    ground,
    panel: hsv(hue, 2 * tint, dark + 0.06),
    line: hsv(hue, tint, dark + 0.2),
    ink: hsv(hue, tint, between(random, 0.7, 1)),
    accent,
  }
}

/** A window on a screen; edges lie on whole pixels. */
class Screen {
  readonly image: Image
  readonly mask: Mask
  readonly theme: Theme
  readonly random: Random

  constructor(size: Size, random: Random) {
    this.theme = anyTheme(random)
    this.image = flat(size, this.theme.ground)
    this.mask = emptyMask(size)
    this.random = random
  }

  box(box: Box, color: Color, radius = 0): void {
    fillBox(this.mask, box, radius, 1)
    paint(this.image, this.mask, color)
  }

  frame(box: Box, color: Color, radius = 0): void {
    const { left, top, width, height } = box
    this.box(box, color, radius)
    this.box(
      { left: left + 1, top: top + 1, width: width - 2, height: height - 2 },
      this.theme.ground,
      radius - 1,
    )
  }

  label(at: Point, length: number, xHeight: number, color: Color): void {
    const pen = { ...anyPen(xHeight, upright, this.random), slant: 0, hasSerifs: false }
    writeLine(this.mask, at, length, pen, this.random)
    paint(this.image, this.mask, color)
  }

  /** Draws an icon of `side` px: a disk, a play button, a cross, a house, a magnifier or a menu. */
  icon([left, top]: Point, side: number, color: Color): void {
    const { mask, random } = this
    const place = (x: number, y: number): Point => [left + (side * x) / 8, top + (side * y) / 8]
    const stroke = { width: Math.max(side / 8, 1), softness: 1 }
    const kind = random.integer(6)
    if (kind === 0) fillDisk(mask, place(4, 4), side / 2, 1)
    else if (kind === 1) fillPolygon(mask, [place(1, 0), place(8, 4), place(1, 8)])
    else if (kind === 2) {
      strokeLine(mask, place(1, 1), place(7, 7), stroke)
      strokeLine(mask, place(7, 1), place(1, 7), stroke)
    } else if (kind === 3)
      fillPolygon(mask, [
        place(0, 4),
        place(4, 0),
        place(8, 4),
        place(7, 4),
        place(7, 8),
        place(1, 8),
        place(1, 4),
      ])
    else if (kind === 4) {
      const ring = Array.from({ length: 13 }, (_, i) => {
        const [sin, cos] = sinCos((i * Math.PI) / 6)
        return place(3 + 2.6 * cos, 3 + 2.6 * sin)
      })
      strokePath(mask, ring, stroke)
      strokeLine(mask, place(5, 5), place(8, 8), stroke)
    } else for (let i = 0; i < 3; i++) strokeLine(mask, place(0, 1 + 3 * i), place(8, 1 + 3 * i), stroke)
    paint(this.image, mask, color)
  }
}

function textOn(color: Color): Color {
  return brightness(color) > 0.5 ? [0, 0, 0] : [1, 1, 1]
}

/** Kinds of rows in a window: each draws itself at `top` and returns its height. */
const rows: readonly ((screen: Screen, top: number, width: number) => number)[] = [
  (screen, top, width) => {
    const { theme, random } = screen
    const height = 14 + random.integer(14)
    const color = random.uniform() < 0.5 ? theme.panel : theme.accent
    screen.box({ left: 0, top, width, height }, color)
    screen.box({ left: 0, top: top + height - 1, width, height: 1 }, theme.line)
    screen.icon([4, top + 4], height - 8, textOn(color))
    screen.label(
      [height + 2, top + Math.round(height / 2) - 5],
      width / 2,
      between(random, 4, 6),
      textOn(color),
    )
    return height
  },
  (screen, top, width) => {
    const { theme, random } = screen
    const xHeight = between(random, 4, 8)
    const lines = 1 + random.integer(4)
    const spacing = Math.round(xHeight * between(random, 2.4, 3.2))
    for (let line = 0; line < lines; line++)
      screen.label([6, top + 2 + line * spacing], width - 20, xHeight, theme.ink)
    return lines * spacing + 4
  },
  (screen, top, width) => {
    const { theme, random } = screen
    const height = 14 + random.integer(12)
    const radius = random.integer(2) * between(random, 2, height / 2)
    let left = 4 + random.integer(8)
    while (left < width) {
      const button = { left, top: top + 3, width: 24 + random.integer(40), height }
      const isFilled = random.uniform() < 0.5
      if (isFilled) screen.box(button, theme.accent, radius)
      else screen.frame(button, theme.line, radius)
      const ink = isFilled ? textOn(theme.accent) : theme.ink
      screen.label([left + 5, top + Math.round(height / 2) - 2], button.width - 16, 5, ink)
      left += button.width + 6
    }
    return height + 8
  },
  (screen, top, width) => {
    const { theme, random } = screen
    const cell = { width: 16 + random.integer(30), height: 10 + random.integer(8) }
    const count = 2 + random.integer(4)
    for (let i = 0; i < count; i++) {
      if (i % 2 === 1)
        screen.box({ left: 0, top: top + i * cell.height, width, height: cell.height }, theme.panel)
      for (let x = 3; x < width; x += cell.width)
        screen.label([x, top + i * cell.height + 3], cell.width - 12, 4.5, theme.ink)
      screen.box({ left: 0, top: top + i * cell.height, width, height: 1 }, theme.line)
    }
    for (let x = 0; x < width; x += cell.width)
      screen.box({ left: x, top, width: 1, height: count * cell.height }, theme.line)
    return count * cell.height + 2
  },
  (screen, top, width) => {
    const { theme, random } = screen
    const side = 8 + random.integer(20)
    for (let x = 6; x < width; x += side + 8) {
      const color = random.uniform() < 0.5 ? theme.ink : anyColor(random)
      screen.icon([x, top + 4], side, color)
    }
    return side + 8
  },
  (screen, top, width) => {
    const { theme, random } = screen
    const done = between(random, 0.1, 0.9) * width
    screen.box({ left: 6, top: top + 6, width: width - 12, height: 4 }, theme.line, 2)
    screen.box({ left: 6, top: top + 6, width: done, height: 4 }, theme.accent, 2)
    fillDisk(screen.mask, [6 + done, top + 8], 5, 1)
    paint(screen.image, screen.mask, theme.accent)
    return 18
  },
]

function drawScreen(size: Size, random: Random): Image {
  const screen = new Screen(size, random)
  let top = -random.integer(16)
  while (top < size.height)
    top += rows[random.integer(rows.length)]!(screen, top, size.width) + random.integer(5)
  return screen.image
}

export const text: Picture = {
  summary: 'text on pages and signs, and screenshots: light and dark, anti-aliased and aliased',
  draw: (size, random) => in8Bits((random.uniform() < 0.65 ? drawPage : drawScreen)(size, random)),
}
