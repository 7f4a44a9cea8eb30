package disktest

import (
	"io"
	"io/fs"
	"syscall"
)

// handle is an open file of a Crash disk.
type handle struct {
	disk   *Crash
	name   string
	inode  *inode
	closed bool // guarded by disk.mu
}

// usable says why the handle cannot be used, if it cannot. disk.mu is held.
func (h *handle) usable() error {
	switch {
	case h.disk.crashed:
		return ErrCrashed
	case h.closed:
		return &fs.PathError{Op: "use", Path: h.name, Err: fs.ErrClosed}
	}
	return nil
}

func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if err := h.usable(); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, &fs.PathError{Op: "read", Path: h.name, Err: fs.ErrInvalid}
	}
	if off >= int64(len(h.inode.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.inode.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(p []byte, off int64) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if err := h.usable(); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, &fs.PathError{Op: "write", Path: h.name, Err: fs.ErrInvalid}
	}
	crashing := h.disk.step()
	if crashing { // a process that dies in write has written a part
		p = p[:h.disk.rng.IntN(len(p)+1)]
	}
	size := int64(len(h.inode.data))
	room := size + max(0, h.disk.capacity-h.disk.used())
	n := min(int64(len(p)), max(0, room-off))
	if n > 0 {
		h.inode.write(p[:n], off, h.disk.rng)
	}
	switch {
	case crashing:
		return int(n), ErrCrashed
	case n < int64(len(p)):
		return int(n), &fs.PathError{Op: "write", Path: h.name, Err: syscall.ENOSPC}
	}
	return int(n), nil
}

func (h *handle) Sync() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if h.closed {
		return h.usable()
	}
	err := h.disk.stepSync(h.name)
	switch {
	case err == nil:
		h.inode.sync()
	case !h.disk.crashed:
		h.inode.forget()
	}
	return err
}

func (h *handle) Close() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if h.closed {
		return &fs.PathError{Op: "close", Path: h.name, Err: fs.ErrClosed}
	}
	h.closed = true
	return nil
}
