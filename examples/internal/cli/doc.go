// Package cli is what the example programs share: secrets that come from files or the environment and go to files that
// nobody else may read, configuration files that hold no misspelt keys, and certificates in PEM.
package cli
