using Microsoft.AspNetCore.Http;
using Millrace.Api.Errors;
using Millrace.Storage;
using Millrace.Storage.Access;
using Millrace.Storage.Audit;

namespace Millrace.Api.Access;

/// <summary>Whether the caller has the role. After the rate limits: also what is refused counts, and is written down where what is asked for is privileged.</summary>
internal sealed class Authorization(RequestDelegate next, IAuditStore audit)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var requirement = Requirement.Of(context);
        if (requirement.IsOpen || requirement.Roles == Roles.None || (requirement.Roles & context.Caller().Roles) != 0)
        {
            await next(context);
            return;
        }
        if (requirement.Action is not null)
            await TryAuditAsync(context, requirement);
        var own = context.Caller().Roles;
        throw new RefusedException(ErrorCode.Forbidden,
            $"This needs a key with the role {string.Join(" or ", RoleNames.Of(requirement.Roles))}; yours has {(own == Roles.None ? "none" : RoleNames.Text(own))}.");
    }

    /// <summary>A refusal stands, also when it can't be written down.</summary>
    private async Task TryAuditAsync(HttpContext context, Requirement requirement)
    {
        var target = context.Request.RouteValues.Values.FirstOrDefault() as string ?? context.Request.Path.Value ?? "";
        var entry = context.Audit(target) with { Outcome = AuditOutcome.Refused, Detail = $"needs {RoleNames.Text(requirement.Roles)}" };
        try { await audit.AddAsync(entry, CancellationToken.None); }
        catch (StoreUnavailableException) { }
    }
}
