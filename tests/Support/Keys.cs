using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace Millrace.Tests.Support;

/// <summary>Callers with keys.</summary>
public static class Keys
{
    /// <summary>No limits of rate, for tests of something else.</summary>
    public static readonly string[] Unlimited = ["Millrace:RateLimit:Requests=0", "Millrace:RateLimit:TenantRequests=0"];

    /// <summary>The same server, as seen by somebody who shows this.</summary>
    public static HttpClient With(this HttpClient client, string? authorization)
    {
        var other = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 1000, UseProxy = false }) { BaseAddress = client.BaseAddress, Timeout = client.Timeout };
        if (authorization is not null)
            other.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", authorization);
        return other;
    }

    public static HttpClient WithKey(this HttpClient client, string key) => client.With($"Bearer {key}");

    /// <summary>Makes the first key of an open server, with the role admin: from then on everybody needs one.</summary>
    public static Task<HttpClient> CloseAsync(this HttpClient client) => client.MakeKeyAsync("default", "admin");

    /// <summary>Makes a key as an admin, and gives the client of its holder.</summary>
    public static async Task<HttpClient> MakeKeyAsync(this HttpClient admin, string tenant, params string[] roles) => admin.WithKey((string)(await admin.NewKeyAsync(new { name = "test", tenant, roles }))["key"]!);

    public static async Task<JsonNode> NewKeyAsync(this HttpClient admin, object key) => (await admin.PostAsync("/v1/keys", key)).MustBe(201).Json;

    public static string Shown(this HttpClient client) => AuthenticationHeaderValue.Parse(client.DefaultRequestHeaders.GetValues("Authorization").Single()).Parameter!;
}
