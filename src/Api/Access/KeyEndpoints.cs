using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Api.Jobs;
using Millrace.Storage.Access;

namespace Millrace.Api.Access;

/// <summary>A key without the key.</summary>
/// <param name="Requests">Its own limit of requests in a window; null for the default.</param>
public sealed record KeyView(
    string Id, string Object, string Name, string Tenant, IReadOnlyList<string> Roles, int? Requests, DateTime CreatedAt, DateTime? ExpiresAt, DateTime? RevokedAt)
{
    /// <summary>The key itself, in the answer that made it and never again.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Key { get; init; }

    internal static KeyView From(ApiKey key) => new(
        key.Id, "key", key.Name, key.Tenant, RoleNames.Of(key.Roles), key.Requests, key.CreatedAt.UtcDateTime, key.ExpiresAt?.UtcDateTime, key.RevokedAt?.UtcDateTime);
}

public sealed record KeyList(IReadOnlyList<KeyView> Data);

internal static class KeyEndpoints
{
    private const string ProblemJson = "application/problem+json";

    public static void MapKeys(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/v1/keys").WithTags("Access");
        group.MapPost("/", CreateAsync).Needs(Roles.Admin, "key.create").WithName("CreateKey").WithSummary("Make a key; it is shown once")
            .Accepts<KeyRequest>("application/json", "*/*").Produces<KeyView>(201).Produces<Problem>(400, ProblemJson).Produces<Problem>(403, ProblemJson);
        group.MapGet("/", ListAsync).Needs(Roles.Admin).WithName("ListKeys").WithSummary("All keys, revoked ones too, without the keys themselves").Produces<KeyList>();
        group.MapDelete("/{id}", RevokeAsync).Needs(Roles.Admin, "key.revoke").WithName("RevokeKey").WithSummary("Revoke a key: it works nowhere any more after two seconds")
            .Produces(204).Produces<Problem>(404, ProblemJson).Produces<Problem>(409, ProblemJson);
    }

    private static async Task CreateAsync(HttpContext context, IKeyStore store, KeyDirectory keys, OpenServer open, HttpOptions options)
    {
        Queries.AllowOnly(context.Request);
        using var body = await RequestBody.ReadAsync(context, options.MaxBodyBytes);
        var (key, text) = NewKeys.Make(NewKeys.Read(body.Bytes));
        if (open.IsOpen && !key.Roles.HasFlag(Roles.Admin))
            throw new RefusedException(ErrorCode.Conflict, "With the first key this server asks everybody for one, so the first must have the role admin: nobody could make another.");
        var made = await store.AddAsync(key, context.Audit(key.Id) with { Detail = $"{key.Tenant}: {RoleNames.Text(key.Roles)}" }, context.RequestAborted);
        await keys.RunOnceAsync(CancellationToken.None);
        context.Response.StatusCode = StatusCodes.Status201Created;
        context.Response.Headers.Location = $"/v1/keys/{made.Id}";
        context.Response.Headers.CacheControl = "no-store";
        await JsonBody.WriteAsync(context, KeyView.From(made) with { Key = text }, ApiJson.Default.KeyView);
    }

    private static Task ListAsync(HttpContext context, KeyDirectory keys)
    {
        Queries.AllowOnly(context.Request);
        return JsonBody.WriteAsync(context, new KeyList(keys.All.Select(KeyView.From).ToArray()), ApiJson.Default.KeyList);
    }

    private static async Task RevokeAsync(HttpContext context, IKeyStore store, KeyDirectory keys, string id)
    {
        Queries.AllowOnly(context.Request);
        var outcome = await store.RevokeAsync(id, context.Audit(id), context.RequestAborted);
        await keys.RunOnceAsync(CancellationToken.None);
        if (outcome == RevokeOutcome.Unknown)
            throw new RefusedException(ErrorCode.NotFound, "There is no key of this id.");
        if (outcome == RevokeOutcome.LastAdmin)
            throw new RefusedException(ErrorCode.Conflict, "This is the last key with the role admin; make another one first, or nobody can.");
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }
}
