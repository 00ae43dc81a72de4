package config

import "strings"

// Engine is the kind of a database.
type Engine string

// The engines.
const (
	Postgres Engine = "postgres"
	SQLite   Engine = "sqlite"
)

// DatabaseURL says where the store is. Its password shows only in DSN.
type DatabaseURL struct {
	engine Engine
	dsn    string
}

// Decode reads postgres://…, postgresql://… or sqlite:FILE.
func (d *DatabaseURL) Decode(text string) error {
	const remedy = "write postgres://user:password@host:5432/name or sqlite:FILE"
	if file, ok := strings.CutPrefix(text, "sqlite:"); ok {
		return d.decodeFile(file)
	}
	if text == "" {
		return bad("is empty", remedy)
	}
	u, err := parseLogin(text, remedy)
	switch {
	case err != nil:
		return err
	case u.Scheme != "postgres" && u.Scheme != "postgresql":
		return bad("begins with neither postgres:// nor sqlite:", remedy)
	case u.Host == "" && !u.Query().Has("host"):
		return bad("names no host", remedy)
	}
	*d = DatabaseURL{engine: Postgres, dsn: text}
	return nil
}

func (d *DatabaseURL) decodeFile(file string) error {
	const remedy = "write sqlite: and a path, such as sqlite:data/postrider.db"
	switch {
	case file == "":
		return bad("names no file", remedy)
	case strings.HasPrefix(file, "//") || strings.ContainsAny(file, "?#\x00"):
		return bad("is not sqlite: and a path", remedy)
	case strings.Contains(file, ":memory:"):
		return bad("would keep mail in memory only", remedy)
	}
	*d = DatabaseURL{engine: SQLite, dsn: "sqlite:" + file}
	return nil
}

// Set reports whether a database was given.
func (d DatabaseURL) Set() bool { return d.dsn != "" }

// Engine is Postgres or SQLite.
func (d DatabaseURL) Engine() Engine { return d.engine }

// DSN is the setting as it was given, password and all. Not to be printed.
func (d DatabaseURL) DSN() string { return d.dsn }

// String is the URL with its password hidden.
func (d DatabaseURL) String() string {
	if d.engine == Postgres {
		return redact(d.dsn)
	}
	return d.dsn
}

// GoString hides the password from %#v.
func (d DatabaseURL) GoString() string { return d.String() }
