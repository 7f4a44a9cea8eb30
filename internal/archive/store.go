package archive

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/polymath-run/polymath/internal/disk"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// fileMode: the results of every tenant are nobody else's business.
const fileMode = 0o600

// fillPercent is how full pages are left: keys mostly rise, so little is
// inserted into a page once it is written.
const fillPercent = 1.0

// pageBytes is the unit in which the file is written. Two records of runBytes
// fill one. A commit of few jobs writes ten pages, so twice as large ones would
// not be cheap then.
const pageBytes = 8 << 10

// store is the bbolt file. bbolt maps it into memory and trusts it: a page
// that was damaged while the file is open makes it panic or fault, which store
// turns into errors.
type store struct {
	mu   sync.RWMutex // held for writing while the file is opened or closed
	path string
	db   *bolt.DB // nil while closed
	file *os.File // of db
	// panicked is set for good once bbolt has panicked. It may have left its
	// locks locked then, so it is not even closed any more: closing the file
	// gives up the lock on it, and the mapping stays until the process ends.
	panicked atomic.Bool
	stuck    atomic.Bool // it panicked where it holds a lock that all need
}

func (s *store) open(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.path = path
	return s.reopen()
}

// reopen opens the file. s.mu is held for writing.
func (s *store) reopen() error {
	options := bolt.Options{
		Timeout:      lockWait,
		PageSize:     pageBytes,
		FreelistType: bolt.FreelistMapType,
		OpenFile: func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
			s.file, err = os.OpenFile(name, flag, mode)
			return s.file, err
		},
	}
	err := s.guard(func() (err error) {
		s.db, err = bolt.Open(s.path, fileMode, &options)
		return err
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%s is in use by another process", s.path)
	case s.panicked.Load():
		return errors.Join(err, s.file.Close())
	}
	return err
}

// view runs read within a consistent picture of the file.
func (s *store) view(read func(*bolt.Tx) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return ErrClosed
	}
	return s.run(s.db.View, read)
}

// run runs f within a transaction. bbolt gives up its locks when f panics, and
// not when it panics before f: then it is not called again.
func (s *store) run(transact func(func(*bolt.Tx) error) error, f func(*bolt.Tx) error) error {
	if s.stuck.Load() {
		return &DamageError{File: s.path, Reason: "the file was harmed while it was open"}
	}
	begun, ended := false, false
	err := s.guard(func() error {
		err := transact(func(tx *bolt.Tx) error {
			begun = true
			return f(tx)
		})
		ended = true
		return err
	})
	if !begun && !ended {
		s.stuck.Store(true)
	}
	return err
}

// update runs write and commits. After an error the file is opened anew: what
// the store believed about it may be wrong by then, and what is in it decides.
func (s *store) update(write func(*bolt.Tx) error) error {
	err := s.attempt(write)
	var damage *DamageError
	if err == nil || errors.As(err, &damage) || errors.Is(err, ErrClosed) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	failure := errors.Join(err, s.db.Close())
	s.db = nil
	return errors.Join(failure, s.reopen())
}

func (s *store) attempt(write func(*bolt.Tx) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return ErrClosed
	}
	err := s.run(s.db.Update, write)
	if disk.IsFull(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil
	}
	db := s.db
	s.db = nil
	if s.panicked.Load() {
		return s.file.Close()
	}
	return s.guard(db.Close)
}

// guard runs what touches the mapped file. A panic, also one for an address
// that is no longer behind the file, is damage: everything above bbolt in here
// returns errors.
func (s *store) guard(touch func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			s.panicked.Store(true)
			err = &DamageError{File: s.path, Reason: fmt.Sprint(p)}
		}
	}()
	err = touch()
	var bad *recordError
	var newer *VersionError
	switch {
	case errors.As(err, &bad), errors.Is(err, errMalformed):
		err = &DamageError{File: s.path, Reason: err.Error()}
	case errors.As(err, &newer):
		newer.File = s.path
	}
	return err
}
