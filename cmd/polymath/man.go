package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/polymath-run/polymath"
)

// manCommand writes the manual pages.
func manCommand(*settings) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write manual pages into a directory",
		Long:  "Write a manual page for each command into a directory, which is made if there is none.",
		Example: `  polymath man ~/.local/share/man/man1
  man polymath-run-primes`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return polymath.Errorf(polymath.InvalidArgument, "man takes one directory, not %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			const readable = 0o755
			err := os.MkdirAll(args[0], readable)
			if err == nil {
				cmd.Root().DisableAutoGenTag = true // the same program writes the same pages
				err = doc.GenManTree(cmd.Root(), &doc.GenManHeader{Section: "1", Source: "Polymath " + version(), Manual: "Polymath"}, args[0])
			}
			if err != nil {
				return polymath.Errorf(polymath.InvalidArgument, "write the manual pages: %w", err)
			}
			return nil
		},
	}
}
