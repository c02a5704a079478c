package datastoresettings

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/healthlake"
	"github.com/aws/aws-sdk-go-v2/service/healthlake/types"
	"github.com/aws/smithy-go"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/terminal"
)

const (
	// pause is how long the function waits before it asks HealthLake again.
	pause = 2 * time.Second
	// patience is how often it asks again for what is true a few seconds later: the role's permissions, which IAM has to
	// spread, and the new settings.
	patience = 20
)

// client is the part of HealthLake that the function may use.
type client interface {
	DescribeFHIRDatastore(context.Context, *healthlake.DescribeFHIRDatastoreInput, ...func(*healthlake.Options)) (
		*healthlake.DescribeFHIRDatastoreOutput, error)
	UpdateFHIRDatastore(context.Context, *healthlake.UpdateFHIRDatastoreInput, ...func(*healthlake.Options)) (
		*healthlake.UpdateFHIRDatastoreOutput, error)
}

// change brings a datastore to the settings, and returns when HealthLake shows them. A datastore that has them already is not
// updated. While something else updates the datastore, change waits until ctx ends.
func (h *Handler) change(ctx context.Context, id string, wanted contract.DatastoreSettings) error {
	live, err := h.describe(ctx, id)
	if err != nil || len(Differences(live, wanted)) == 0 {
		return err
	}
	if err := h.update(ctx, id, wanted); err != nil {
		return err
	}
	var left []string
	for range patience {
		if live, err = h.describe(ctx, id); err != nil {
			return err
		}
		if left = Differences(live, wanted); len(left) == 0 {
			return nil
		}
		if err := h.sleep(ctx, pause); err != nil {
			break
		}
	}
	return fmt.Errorf("HealthLake accepted the change, but DescribeFHIRDatastore still shows another %s", strings.Join(left, ", "))
}

// update replaces the whole configuration: HealthLake clears what a call leaves out (API Reference, UpdateFHIRDatastore).
func (h *Handler) update(ctx context.Context, id string, wanted contract.DatastoreSettings) error {
	return h.repeat(ctx, func() error {
		_, err := h.client.UpdateFHIRDatastore(ctx, &healthlake.UpdateFHIRDatastoreInput{
			DatastoreId:   aws.String(id),
			DatastoreName: aws.String(wanted.DatastoreName),
			IdentityProviderConfiguration: &types.IdentityProviderConfiguration{
				AuthorizationStrategy:           types.AuthorizationStrategy(wanted.AuthorizationStrategy),
				FineGrainedAuthorizationEnabled: wanted.FineGrainedAuthorizationEnabled == "true",
				IdpLambdaArn:                    aws.String(wanted.IdpLambdaArn),
				Metadata:                        aws.String(wanted.Metadata),
			},
		})
		return err
	})
}

// errBusy stands for a datastore that HealthLake is working on.
var errBusy = errors.New("the datastore is not ready yet")

// describe returns the settings of a datastore that is not being created or updated.
func (h *Handler) describe(ctx context.Context, id string) (settings contract.DatastoreSettings, err error) {
	err = h.repeat(ctx, func() error {
		response, err := h.client.DescribeFHIRDatastore(ctx, &healthlake.DescribeFHIRDatastoreInput{DatastoreId: aws.String(id)})
		if err != nil {
			return err
		}
		switch status := response.DatastoreProperties.DatastoreStatus; status {
		// An update of something else has failed before; HealthLake takes the next one.
		case types.DatastoreStatusActive, types.DatastoreStatusUpdateFailed:
			settings = Of(*response.DatastoreProperties)
			return nil
		case types.DatastoreStatusCreating, types.DatastoreStatusUpdating:
			return fmt.Errorf("%w: its status is %s", errBusy, status)
		default:
			return fmt.Errorf("the datastore's status is %s", status)
		}
	})
	return settings, err
}

// repeat calls again while HealthLake says that another time may do.
func (h *Handler) repeat(ctx context.Context, call func() error) error {
	var busy error
	for attempt := 1; ; attempt++ {
		err := call()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil && busy != nil {
			return fmt.Errorf("gave up waiting: %w", busy)
		}
		busy = explain(err)
		if !passes(err, attempt) {
			return busy
		}
		if h.sleep(ctx, pause) != nil {
			return fmt.Errorf("gave up waiting: %w", busy)
		}
	}
}

// busyCodes are the errors of HealthLake that go away by themselves.
var busyCodes = []string{"ConflictException", "ThrottlingException", "InternalServerException"}

// passes tells whether an error may be gone at the next attempt.
func passes(err error, attempt int) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return errors.Is(err, errBusy)
	}
	return slices.Contains(busyCodes, api.ErrorCode()) || api.ErrorCode() == "AccessDeniedException" && attempt < patience
}

// longestMessage, in bytes, keeps the response within what CloudFormation takes: 4,096 bytes in all (CloudFormation User
// Guide, "Custom resource response objects").
const longestMessage = 1000

// explain is HealthLake's own message for who deploys, as one line.
func explain(err error) error {
	var operation *smithy.OperationError
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err
	}
	name := "HealthLake"
	if errors.As(err, &operation) {
		name += " " + operation.OperationName
	}
	message := terminal.Printable(api.ErrorMessage())
	if len(message) > longestMessage {
		message = strings.ToValidUTF8(message[:longestMessage], "") + "…"
	}
	return fmt.Errorf("%s: %s: %s", name, api.ErrorCode(), message)
}
