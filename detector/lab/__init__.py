"""From pictures to a detector with its card: training, evaluation, what is left out, plots."""
