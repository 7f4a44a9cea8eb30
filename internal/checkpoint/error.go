package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/polymath-run/polymath"
)

// DamageError says that there are checkpoints and none is whole.
type DamageError struct {
	Files []string       // each with what is damaged in it
	Index polymath.Index // of the newest whose header can be read, or zero
}

func (e *DamageError) Error() string {
	at := "the newest checkpoint"
	if !e.Index.IsZero() {
		at = "index " + e.Index.String()
	}
	return fmt.Sprintf("checkpoint: every checkpoint is damaged: %s. Nothing is lost if the journal still begins at its first entry; "+
		"otherwise the jobs that were unfinished at %s are. Restore the data directory from a backup or a replica; or move these "+
		"files away: the start then reads the whole journal, and says so if it no longer begins at its first entry",
		strings.Join(e.Files, "; "), at)
}

// damage is the error of a store without a whole checkpoint.
func (s *Store) damage() *DamageError {
	e := &DamageError{}
	for _, f := range slices.Backward(s.files) {
		e.Files = append(e.Files, f.name+": "+f.reason)
		if e.Index.IsZero() {
			e.Index = f.header.meta.Index
		}
	}
	return e
}

// warning is the sentence for the i-th file, which is damaged.
func (s *Store) warning(i int) string {
	f := s.files[i]
	return fmt.Sprintf("checkpoint %s of index %v is damaged: %s. It is passed over for an older one: the start reads more of the journal, "+
		"and nothing is lost. Check the disk; the file is removed once two newer checkpoints are written",
		f.name, f.header.meta.Index, f.reason)
}

// VersionError says that a file was written by a version of the product whose
// format this one does not know.
type VersionError struct {
	File    string
	Version byte
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("checkpoint: %s has format version %d and this Polymath reads up to %d: start the newer Polymath that wrote it",
		e.File, e.Version, formatVersion)
}
