// Package checkout finds and builds the program that is measured: the one of
// the checkout the measurement itself is run in.
package checkout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Root is the directory of the checkout.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "polymath", "main.go")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("run this within the checkout")
		}
	}
}

// Go is a command of the Go compiler that make chose, in the checkout.
func Go(ctx context.Context, args ...string) (*exec.Cmd, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	compiler := os.Getenv("GO")
	if compiler == "" {
		compiler = "go"
	}
	cmd := exec.CommandContext(ctx, compiler, args...)
	cmd.Dir = root
	return cmd, nil
}

// Build builds the program.
func Build(ctx context.Context, binary string) error {
	cmd, err := Go(ctx, "build", "-o", binary, "./cmd/polymath")
	if err != nil {
		return err
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the program: %w\n%s", err, text)
	}
	return nil
}
