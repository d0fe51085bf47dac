using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Millrace.Tests.Support;

/// <summary>An OpenID Connect issuer on loopback: its discovery document, its signing keys, and the tokens that a test wants.</summary>
public sealed class Issuer : IAsyncDisposable
{
    public const string Audience = "millrace";
    private readonly RSA _rsa = RSA.Create(2048);
    private readonly WebApplication _app;

    private Issuer(WebApplication app) => _app = app;

    public string Url { get; private set; } = "";

    public static async Task<Issuer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder(["--urls=http://127.0.0.1:0"]);
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var issuer = new Issuer(app);
        app.MapGet("/.well-known/openid-configuration", () => Results.Text(JsonSerializer.Serialize(new { issuer = issuer.Url, jwks_uri = $"{issuer.Url}/keys" }), "application/json"));
        app.MapGet("/keys", () =>
        {
            var key = JsonWebKeyConverter.ConvertFromRSASecurityKey(new RsaSecurityKey(issuer._rsa.ExportParameters(false)) { KeyId = "one" });
            return Results.Text(JsonSerializer.Serialize(new { keys = new[] { new { kty = "RSA", kid = "one", use = "sig", n = key.N, e = key.E } } }), "application/json");
        });
        await app.StartAsync();
        issuer.Url = app.Urls.First();
        return issuer;
    }

    public string[] Settings => [$"Millrace:Access:Issuer={Url}", $"Millrace:Access:Audience={Audience}"];

    public string Token(Dictionary<string, object> claims, string? audience = null, string? issuer = null, TimeSpan? expiresIn = null, SigningCredentials? signing = null) =>
        new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer ?? Url,
            Audience = audience ?? Audience,
            Claims = claims,
            Expires = TimeProvider.System.GetUtcNow().UtcDateTime + (expiresIn ?? TimeSpan.FromMinutes(5)),
            SigningCredentials = signing ?? new SigningCredentials(new RsaSecurityKey(_rsa) { KeyId = "one" }, SecurityAlgorithms.RsaSha256),
        });

    /// <summary>The public key as a secret: what servers fell for that let the token name the algorithm.</summary>
    public SigningCredentials PublicKeyAsSecret => new(new SymmetricSecurityKey(_rsa.ExportSubjectPublicKeyInfo()) { KeyId = "one" }, SecurityAlgorithms.HmacSha256);

    public static SigningCredentials AnotherKey => new(new RsaSecurityKey(RSA.Create(2048)) { KeyId = "one" }, SecurityAlgorithms.RsaSha256);

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _rsa.Dispose();
    }
}
