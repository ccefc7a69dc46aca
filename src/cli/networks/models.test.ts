import { afterEach, expect, test, vi } from 'vitest'
import { listModels, showModel } from './models.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

function printed(action: () => void): string {
  let text = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += chunk
    return true
  })
  action()
  return text
}

test('the models of every task are listed, detection among them', () => {
  expect(printed(() => listModels([], { task: 'detect' }))).toMatch(
    /^light-inspect +detect .*\nlight-detect +detect /,
  )
  expect(printed(() => listModels([], { task: 'derain' }))).toContain('restormer-derain')
})

test('a slip in the name of a command is told, with the nearest', () => {
  expect(() => listModels(['shwo', 'light-photo'], {})).toThrow(
    "unknown command of models 'shwo': expected one of list, show, verify; did you mean show?",
  )
})

test('a license is named once', () => {
  const licenseOf = (id: string) => /^license +(.*)$/m.exec(printed(() => showModel(id, {})))?.[1]
  expect(licenseOf('dasr-x4-aniso')).toBe('Free for any use under the MIT License.')
  expect(licenseOf('restormer-derain')).toMatch(/^Academic Public License \(Restormer\)\. Code and official/)
})
