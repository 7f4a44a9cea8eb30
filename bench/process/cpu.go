package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// tick is the unit of processor time in /proc on every Linux there is.
const tick = 10 * time.Millisecond

// Fields of /proc/PID/stat (proc(5)), counted from the state, which is the
// first one after the name.
const (
	fieldParent = 1
	fieldUser   = 11 // with 12: system, 13 and 14: the same of children waited for
	fieldsRead  = 15
)

// CPU is the processor time, user and system, of the process, of all its
// living descendants and of those that ended and were waited for. It reads
// /proc, and so works on Linux.
func (p *Process) CPU() (time.Duration, error) {
	all, err := readProcesses()
	if err != nil {
		return 0, err
	}
	if _, ok := all[p.Pid()]; !ok {
		return 0, fmt.Errorf("%s is gone", p.cmd.Path)
	}
	var sum time.Duration
	for pid, stat := range all {
		if descends(all, pid, p.Pid()) {
			sum += stat.used
		}
	}
	return sum, nil
}

// OwnCPU is the processor time, user and system, of the calling process.
func OwnCPU() (time.Duration, error) { return used(syscall.RUSAGE_SELF) }

// ChildrenCPU is the processor time, user and system, of all processes the
// calling one started and has waited for, and of theirs.
func ChildrenCPU() (time.Duration, error) { return used(syscall.RUSAGE_CHILDREN) }

func used(who int) (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// stat is what is read of one process.
type stat struct {
	parent int
	used   time.Duration
}

// descends tells whether pid is root or below it.
func descends(all map[int]stat, pid, root int) bool {
	for pid != root {
		s, ok := all[pid]
		if !ok {
			return false
		}
		pid = s.parent
	}
	return true
}

// readProcesses reads what runs on this machine. A process that ends meanwhile
// is left out.
func readProcesses() (map[int]stat, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	all := make(map[int]stat, len(paths))
	for _, path := range paths {
		line, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		} else if err != nil {
			return nil, err
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		if all[pid], err = parseStat(line); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return all, nil
}

// parseStat reads a line of /proc/PID/stat. The name of the program, in
// parentheses, may contain anything, parentheses and spaces too.
func parseStat(line []byte) (stat, error) {
	fields := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:])
	if len(fields) < fieldsRead {
		return stat{}, fmt.Errorf("%q has %d fields after the name, not %d", line, len(fields), fieldsRead)
	}
	var s stat
	var err error
	if s.parent, err = strconv.Atoi(string(fields[fieldParent])); err != nil {
		return stat{}, err
	}
	for _, f := range fields[fieldUser:fieldsRead] {
		ticks, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return stat{}, err
		}
		s.used += time.Duration(ticks) * tick
	}
	return s, nil
}
