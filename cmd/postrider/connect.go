package main

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/postrider/postrider/internal/client"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/message"
)

// connect returns a client for the server that the settings name.
func connect(options client.Config) (*client.Client, error) {
	var settings config.Client
	if err := config.Load(&settings); err != nil {
		return nil, err
	}
	options.URL, options.Key = settings.URL.String(), settings.APIKey.Reveal()
	options.UserAgent = "postrider/" + version
	return client.New(options), nil
}

// advise adds what to do to errors that a setting of ours causes.
func advise(err error) error {
	var refused *client.Problem
	switch {
	case errors.Is(err, client.ErrUnreachable):
		return fmt.Errorf("%w\nset POSTRIDER_URL to the address of the server, or start one: postrider dev", err)
	case errors.As(err, &refused) && refused.Code == "unexpected_answer":
		return fmt.Errorf("%w\nset POSTRIDER_URL to the address of the API: something else answers there", err)
	case errors.As(err, &refused) && message.Code(refused.Code) == message.CodeRestrictedAPIKey:
		return fmt.Errorf("%w\nset POSTRIDER_API_KEY to a key that may: keys are made with an admin key, such as those of the server's POSTRIDER_API_KEYS", err)
	case errors.As(err, &refused) && message.Code(refused.Code) == message.CodeDomainNotAllowed:
		return err
	case errors.As(err, &refused) && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden):
		return fmt.Errorf("%w\nset POSTRIDER_API_KEY to a key of this server, such as one of its POSTRIDER_API_KEYS", err)
	}
	return err
}
