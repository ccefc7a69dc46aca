// Icons, drawn in the color of the text around them.

const paths = {
  add: 'M12 5v14M5 12h14',
  close: 'M6 6l12 12M18 6L6 18',
  retry: 'M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6',
  save: 'M12 4v11m-5-5l5 5 5-5M5 20h14',
  settings: 'M4 7h9m4 0h3M4 17h3m4 0h9M15 4.5v5M9 14.5v5',
  eye: 'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6z',
  slider: 'M12 3v18M8 9l-3 3 3 3M16 9l3 3-3 3',
  grip: 'M9 7l-5 5 5 5M15 7l5 5-5 5',
  side: 'M4 5h16v14H4zM12 5v14',
  difference: 'M9 15A6 6 0 1 1 9 3a6 6 0 0 1 0 12zM15 21a6 6 0 1 1 0-12 6 6 0 0 1 0 12z',
  pixels: 'M4 4h8v8H4zM12 12h8v8h-8z',
  plus: 'M12 6v12M6 12h12',
  minus: 'M6 12h12',
  fit: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  compare: 'M4 4h7v16H4zM15 4h5v16h-5',
  photo: 'M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4',
  folder: 'M3 6h6l2 2h10v11H3z',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  warning: 'M12 4l9 16H3zM12 10v4m0 3v.01',
  copy: 'M8 8h12v12H8zM4 16V4h12',
} as const

export type IconName = keyof typeof paths

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  )
}

/** A button that shows an icon alone; its label tells what it does. */
export function IconButton({ icon, label, act }: { icon: IconName; label: string; act: () => void }) {
  return (
    <button type="button" class="icon-button" aria-label={label} title={label} onClick={act}>
      <Icon name={icon} />
    </button>
  )
}
