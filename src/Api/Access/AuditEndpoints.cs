using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Api.Jobs;
using Millrace.Storage.Access;
using Millrace.Storage.Audit;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Access;

/// <param name="Actor">The key's id, <c>jwt:</c> and a subject, <c>open</c> where no keys are, <c>cli</c> at the command line.</param>
/// <param name="Outcome">done or refused.</param>
public sealed record AuditView(string Id, DateTime At, string Actor, string Tenant, string Action, string Target, string Outcome, string Detail, string? RequestId);

/// <param name="NextCursor">Null at the end, and only there.</param>
public sealed record AuditList(IReadOnlyList<AuditView> Data, string? NextCursor);

internal static class AuditEndpoints
{
    private const string Prefix = "audit_";

    public static void MapAudit(this IEndpointRouteBuilder routes) =>
        routes.MapGroup("/v1/audit").WithTags("Access").MapGet("/", ListAsync).Needs(Roles.Admin).WithName("ListAudit").WithSummary("Who did what, the newest first")
            .Produces<AuditList>().Produces<Problem>(400, "application/problem+json");

    private static async Task ListAsync(HttpContext context, IAuditStore store)
    {
        Queries.AllowOnly(context.Request, "limit", "cursor");
        JobId? before = null;
        if (context.Request.Query["cursor"] is [{ } cursor, ..])
            before = JobId.TryParse(cursor, Prefix, out var last) ? last : throw new RefusedException(ErrorCode.InvalidCursor, "The cursor is not one of this list. Start again without it.");
        var limit = JobFilters.Limit(context.Request);
        var records = await store.ListAsync(before, limit, context.RequestAborted);
        var page = records.Take(limit).Select(View).ToArray();
        await JsonBody.WriteAsync(context, new AuditList(page, records.Count > limit ? page[^1].Id : null), ApiJson.Default.AuditList);
    }

    private static AuditView View(AuditRecord record) => new(record.Id.ToString(Prefix), record.At.UtcDateTime, record.Entry.Actor, record.Entry.Tenant, record.Entry.Action,
        record.Entry.Target, record.Entry.Outcome == AuditOutcome.Done ? "done" : "refused", record.Entry.Detail, record.Entry.RequestId);
}
