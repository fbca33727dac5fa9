"""The task of a number: squared or Huber loss, judged by R2 and the mean absolute error."""
