package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionCommand prints which Polymath this is.
func versionCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of the program",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return s.printVersion() },
	}
}

func (s *settings) printVersion() error {
	v := struct {
		Version  string `json:"version"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}{version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	if s.output == outputJSON {
		return writeJSON(s.stdout, v)
	}
	_, err := fmt.Fprintf(s.stdout, "polymath %s %s %s\n", v.Version, v.Go, v.Platform)
	return err
}

// version is what the build knows of itself: the module's version, which
// carries the commit where there is no release.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
