"""A stack's termination protection, which moto stores and never looks at."""

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult


def install():
    CloudFormationResponse.update_termination_protection = _update
    CloudFormationResponse.delete_stack = _guarded(CloudFormationResponse.delete_stack)


def _update(self):
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection")
    return ActionResult({"StackId": stack.stack_id})


def _guarded(delete):
    def delete_stack(self):
        name = self._get_param("StackName")
        stack = next((s for s in self.cloudformation_backend.stacks.values() if name in (s.name, s.stack_id)), None)
        if stack and stack.enable_termination_protection:
            raise ValidationError(
                stack.stack_id,
                f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled",
            )
        return delete(self)

    return delete_stack
