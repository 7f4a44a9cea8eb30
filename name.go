package polymath

import (
	"unicode"
	"unicode/utf8"
)

// CheckName refuses what is no name of a queue, a tenant or a worker, as what
// says: a name has 1 to MaxNameBytes bytes of UTF-8, all of them characters
// that print, so that it can be shown wherever somebody looks.
func CheckName(what, name string) error {
	switch {
	case name == "" || len(name) > MaxNameBytes:
		return Errorf(InvalidArgument, "the %s's name has %d bytes: 1 to %d are taken", what, len(name), MaxNameBytes)
	case !utf8.ValidString(name):
		return Errorf(InvalidArgument, "the %s's name %q is no UTF-8", what, name)
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return Errorf(InvalidArgument, "the %s's name %q has a character that does not print", what, name)
		}
	}
	return nil
}
