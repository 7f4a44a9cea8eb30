package main

import (
	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/spelling"
)

// unknown is the error for a name that is none of the known ones.
func unknown(kind, name string, known []string) error {
	return polymath.Errorf(polymath.InvalidArgument, "there is no %s %.40q: %s", kind, name, spelling.Hint(name, known))
}
