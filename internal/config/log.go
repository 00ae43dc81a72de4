package config

import "log/slog"

// Minimum is the least level to write.
func (l Log) Minimum() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return slog.LevelInfo // the zero Log of a test
	}
	return level
}
