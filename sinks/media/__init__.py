"""Media: files of recordings and messages, from the provider into a folder or an object store, whole or not at all."""
