package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/certificate"
	"github.com/polymath-run/polymath/internal/function/all"
)

// verifySettings are the flags of verify.
type verifySettings struct {
	*settings
	full    bool
	workers int
}

// verifyCommand checks certificates.
func verifyCommand(s *settings) *cobra.Command {
	v := &verifySettings{settings: s}
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check the certificate of an answer by counting again",
		Long: `Check the certificate of an answer that was given with --verify: that it is whole,
that it does not contradict itself, and that it is true. The formula counts all
again; the sieve does a part that is chosen at random, or everything with --full.

FILE is a certificate, an answer that carries one, or - for standard input.`,
		Example: `  polymath run primes --to 1e9 --verify --certificate count.json
  polymath verify count.json
  polymath verify count.json --full`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return polymath.Errorf(polymath.InvalidArgument, "verify takes one file, not %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return v.verify(cmd.Context(), args[0]) },
	}
	cmd.Flags().BoolVar(&v.full, "full", false, "sieve the whole range again")
	cmd.Flags().IntVar(&v.workers, "workers", 0, "how many cores calculate (default all)")
	return cmd
}

func (v *verifySettings) verify(ctx context.Context, file string) error {
	if v.workers < 0 || v.workers > maxWorkers {
		return polymath.Errorf(polymath.InvalidArgument, "--workers is %d: it must be from 1 to %d, or 0 for all cores", v.workers, maxWorkers)
	}
	data, err := v.readCertificate(file)
	if err != nil {
		return err
	}
	c, err := certificate.Decode(data)
	if err != nil {
		return err
	}
	parts := v.parts(c)
	workers := v.workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	err = all.Verified().Check(ctx, c, parts, workers, v.progress())
	switch {
	case ctx.Err() != nil:
		return polymath.Errorf(polymath.Interrupted, "interrupted: the certificate was not checked to its end")
	case polymath.CodeOf(err) == polymath.Conflict:
		return polymath.Errorf(polymath.JobFailed, "%w", err)
	case err != nil:
		return err
	}
	return v.printVerified(c, len(parts))
}

// readCertificate reads a file, or standard input for -, up to what is too long
// for a certificate.
func (v *verifySettings) readCertificate(file string) ([]byte, error) {
	from := v.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, polymath.Errorf(polymath.InvalidArgument, "read the certificate: %w", err)
		}
		defer f.Close() //nolint:errcheck // it was only read
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, certificate.MaxBytes+1))
	if err != nil {
		return nil, polymath.Errorf(polymath.InvalidArgument, "read the certificate: %w", err)
	}
	return data, nil
}

// parts are those to be sieved again.
func (v *verifySettings) parts(c *certificate.Certificate) []int {
	if !v.full {
		return []int{rand.IntN(len(c.Sieve.Parts))}
	}
	parts := make([]int, len(c.Sieve.Parts))
	for i := range parts {
		parts[i] = i
	}
	return parts
}

// progress draws how much is counted again on a terminal.
func (v *verifySettings) progress() func(done, total uint64) {
	width := v.width()
	if width == 0 {
		return nil
	}
	shown := -1
	return func(done, total uint64) {
		percent := int(100 * done / total)
		if percent == shown {
			return
		}
		shown = percent
		head := fmt.Sprintf("verify %3d %% ", percent)
		end := ""
		if done == total {
			end = "\n"
		}
		_, _ = fmt.Fprintf(v.stderr, "\r%s%s%s", head, bar(float64(done)/float64(total), width-1-len(head)), end)
	}
}

func (v *verifySettings) printVerified(c *certificate.Certificate, sieved int) error {
	if v.output == outputJSON {
		return writeJSON(v.stdout, struct {
			Valid  bool   `json:"valid"`
			From   any    `json:"from"`
			To     any    `json:"to"`
			Count  any    `json:"count"`
			Sieved int    `json:"sieved"` // parts
			Parts  int    `json:"parts"`
			Digest string `json:"digest"`
		}{true, c.From, c.To, c.Count, sieved, len(c.Sieve.Parts), c.Digest})
	}
	_, err := fmt.Fprintf(v.stdout, "valid: %s primes from %s to %s; counted again by formula, and by sieve in %d of %d parts\n",
		c.Count, c.From, c.To, sieved, len(c.Sieve.Parts))
	return err
}

// checkCertificate refuses --certificate for an answer that will carry none,
// and for a place that no file can be in, before hours are spent.
func (r *runSettings) checkCertificate(input []byte) error {
	if r.certificate == "" {
		return nil
	}
	var in struct {
		Verify bool `json:"verify"`
	}
	if json.Unmarshal(input, &in) != nil || !in.Verify {
		return polymath.Errorf(polymath.InvalidArgument, "--certificate is for answers with a certificate: give --verify with it, for a count of primes")
	}
	dir, err := os.Stat(filepath.Dir(r.certificate))
	if err != nil {
		return polymath.Errorf(polymath.InvalidArgument, "--certificate %s: %w", r.certificate, err)
	}
	if file, err := os.Stat(r.certificate); !dir.IsDir() || err == nil && file.IsDir() {
		return polymath.Errorf(polymath.InvalidArgument, "--certificate %s: name a file in a directory that there is", r.certificate)
	}
	return nil
}

// keepCertificate takes the certificate out of an answer into the file it is to
// go to. Where it cannot be kept it stays in the answer: nothing is lost.
func (r *runSettings) keepCertificate(answer json.RawMessage) (json.RawMessage, error) {
	if r.certificate == "" {
		return answer, nil
	}
	var a struct {
		Count       json.RawMessage `json:"count"`
		Verified    bool            `json:"verified"`
		Certificate json.RawMessage `json:"certificate,omitempty"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return answer, polymath.Errorf(polymath.Internal, "read the answer: %w", err)
	}
	if a.Certificate == nil {
		return answer, nil // without all units there is none, and the answer says so
	}
	if err := r.writeCertificate(a.Certificate); err != nil {
		return answer, polymath.Errorf(polymath.CodeOf(err), "the certificate is in the answer, as it cannot be kept elsewhere: %w", err)
	}
	a.Certificate = nil
	return json.Marshal(a)
}

func (r *runSettings) writeCertificate(data []byte) error {
	c, err := certificate.Decode(data)
	if err != nil {
		return err
	}
	if data, err = c.Encode(); err != nil {
		return err
	}
	if err := replaceFile(r.certificate, data); err != nil {
		return polymath.Errorf(polymath.Internal, "%w", err)
	}
	return nil
}

// replaceFile writes a file whole or not at all: where there is no room, what
// the name stood for before is still there. What is no file, such as a pipe,
// is written to.
func replaceFile(path string, data []byte) error {
	const readable = 0o644
	if old, err := os.Stat(path); err == nil && !old.Mode().IsRegular() {
		return os.WriteFile(path, data, readable)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".certificate-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(readable), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // half of it, if that; the error says more
	}
	return err
}
