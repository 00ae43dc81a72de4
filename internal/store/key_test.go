package store_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/storetest"
)

func TestKeysOnPostgres(t *testing.T) {
	conformance.Keys(t, func(t *testing.T) conformance.KeyFixture { return keyFixture(storetest.Postgres(t), true) })
}

func TestKeysOnSQLite(t *testing.T) {
	conformance.Keys(t, func(t *testing.T) conformance.KeyFixture {
		return keyFixture(storetest.SQLite(t), false)
	})
}

func keyFixture(url string, shared bool) conformance.KeyFixture {
	return conformance.KeyFixture{Shared: shared, Open: func(t *testing.T, c *conformance.Clock) conformance.KeyPorts {
		return open(t, url, message.Process{ID: uuid.New(), Program: "test"}, c)
	}}
}
