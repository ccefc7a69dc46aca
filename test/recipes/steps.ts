// A separate file, to test that recipes can import other files.

export const steps = 20
