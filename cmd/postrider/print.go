package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/postrider/postrider/internal/wire"
)

// printable replaces what could steer the terminal: subjects and replies of
// servers are written by strangers.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t': // would break the columns of a table
			return ' '
		case r == '\n' || unicode.IsPrint(r):
			return r
		}
		return '�'
	}, s)
}

// cell is printable on one line.
func cell(s string) string { return strings.ReplaceAll(printable(s), "\n", "�") }

// orDash shows what is absent.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// moment shows a time in the local zone.
func moment(t wire.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

func printJSON(w io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	_, err = fmt.Fprintln(w, string(text))
	return err
}
