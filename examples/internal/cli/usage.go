package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// UsageError is a mistake on the command line. Programs end with status 2 then.
type UsageError struct{ Problem string }

// Error says what is wrong, and where the help is.
func (e *UsageError) Error() string { return e.Problem + "; -h tells more" }

// Usagef makes a UsageError.
func Usagef(format string, args ...any) error {
	return &UsageError{Problem: fmt.Sprintf(format, args...)}
}

// Parse parses the command line. -h prints the help, with the flags behind it, and returns flag.ErrHelp. Anything wrong is
// a *UsageError that is not printed yet.
func Parse(s *flag.FlagSet, args []string, help string, out io.Writer) error {
	s.SetOutput(io.Discard)
	s.Usage = func() {}
	err := s.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, help)
		s.SetOutput(out)
		s.PrintDefaults()
		return err
	case err != nil:
		return &UsageError{Problem: err.Error()}
	}
	return nil
}

// ExitStatus is 0 without an error and for help, 2 for a *UsageError, else 1.
func ExitStatus(err error) int {
	var usage *UsageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		return 2
	}
	return 1
}
