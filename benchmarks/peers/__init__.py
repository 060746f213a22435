"""handful beside other ways of training a classifier: same pictures, same weights, same clock; see README.md."""
