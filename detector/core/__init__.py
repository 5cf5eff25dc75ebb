"""What every room stands on: errors, files, figures with intervals, one logistic fit, one average."""
