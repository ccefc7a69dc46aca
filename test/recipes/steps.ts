// Apart from the recipe, to see that recipes can import their neighbours.

export const steps = 20
