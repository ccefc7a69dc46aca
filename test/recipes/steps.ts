// Apart from the recipe, to see that recipes can import their neighbors.

export const steps = 20
