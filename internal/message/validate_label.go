package message

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxLabel is the length of a tag's name and value and of a metadata key.
const maxLabel = 256

func (v *validator) tags(tags []Tag) []Tag {
	if len(tags) > v.limits.Tags {
		v.fault("/tags", CodeTooLarge, fmt.Sprintf("has %d tags, at most %d are allowed", len(tags), v.limits.Tags))
		return nil
	}
	for i, t := range tags {
		at := Pointer("tags", strconv.Itoa(i))
		v.label(at+"/name", t.Name)
		v.label(at+"/value", t.Value)
	}
	return tags
}

func (v *validator) metadata(data map[string]string) map[string]string {
	total := 0
	for key, value := range data {
		total += len(key) + len(value)
	}
	if total > v.limits.MetadataBytes {
		v.fault("/metadata", CodeTooLarge, fmt.Sprintf("has %d bytes, at most %d are allowed", total, v.limits.MetadataBytes))
		return nil
	}
	for _, key := range sortedKeys(data) {
		at := Pointer("metadata", key)
		v.label(at, key)
		v.plain(at, data[key])
	}
	return data
}

// sortedKeys makes the order of faults the same on every run.
func sortedKeys(data map[string]string) []string {
	keys := make([]string, 0, len(data))
	for key := range data {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (v *validator) label(pointer, s string) {
	if !IsLabel(s) {
		v.fault(pointer, CodeInvalidField, fmt.Sprintf("must be 1 to %d ASCII letters, digits, underscores or dashes", maxLabel))
	}
}

// IsLabel reports whether s can be the name or the value of a tag, or a key of
// the metadata.
func IsLabel(s string) bool {
	return s != "" && len(s) <= maxLabel && !strings.ContainsFunc(s, notLabel)
}

func notLabel(r rune) bool {
	return r != '_' && r != '-' && !asciiLetterOrDigit(r)
}

func asciiLetterOrDigit(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
