using System.Text.RegularExpressions;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;
using Millrace.Api.Errors;
using Millrace.Storage.Access;

namespace Millrace.Api.Access;

/// <summary>Bearer tokens of an OpenID Connect issuer.</summary>
/// <remarks>Source: RFC 7519, RFC 8725 (only asymmetric algorithms, issuer, audience and time always checked), OpenID Connect Discovery 1.0.</remarks>
internal sealed partial class Tokens
{
    private const int LongestToken = 8192;

    private readonly AccessOptions _options;
    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false, MaximumTokenSizeInBytes = LongestToken };
    private readonly ConfigurationManager<OpenIdConnectConfiguration>? _discovery;
    private readonly TokenValidationParameters? _parameters;

    public Tokens(AccessOptions options)
    {
        _options = options;
        if (options.Issuer.Length == 0)
            return;
        var issuer = new Uri(options.Issuer);
        _discovery = new ConfigurationManager<OpenIdConnectConfiguration>($"{options.Issuer.TrimEnd('/')}/.well-known/openid-configuration",
            new OpenIdConnectConfigurationRetriever(), new HttpDocumentRetriever { RequireHttps = !issuer.IsLoopback });
        _parameters = new TokenValidationParameters
        {
            ValidIssuer = options.Issuer,
            ValidAudience = options.Audience,
            ConfigurationManager = _discovery,
            ValidAlgorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"],
            RequireExpirationTime = true,
            ClockSkew = TimeSpan.FromSeconds(30),
        };
    }

    /// <summary>Null when it is no valid token of the issuer, or names no tenant.</summary>
    /// <exception cref="RefusedException">503: the issuer's signing keys can't be read.</exception>
    public async Task<Caller?> FindAsync(string token)
    {
        if (_parameters is null || token.Length > LongestToken || token.Count(c => c == '.') != 2)
            return null;
        try { await _discovery!.GetConfigurationAsync(CancellationToken.None); } // kept for hours; the old one is used while a new one can't be had
        catch (InvalidOperationException)
        {
            throw new RefusedException(new Refusal(ErrorCode.Unavailable, "The issuer of tokens does not answer, so a token can't be checked now.") { RetryAfter = 5 });
        }
        var result = await _handler.ValidateTokenAsync(token, _parameters);
        if (!result.IsValid)
            return null;
        var subject = Text(result, "sub");
        var tenant = Text(result, _options.TenantClaim);
        return subject is { Length: > 0 and <= 200 } && !subject.Any(char.IsControl) && tenant is not null && TenantForm().IsMatch(tenant) ? new Caller($"jwt:{subject}", tenant, RolesOf(result), $"jwt:{subject}") : null;
    }

    private static string? Text(TokenValidationResult result, string claim) => result.Claims.TryGetValue(claim, out var value) ? value as string : null;

    private Roles RolesOf(TokenValidationResult result)
    {
        var names = (result.Claims.TryGetValue(_options.RolesClaim, out var claimed) ? claimed : null) switch
        {
            string text => text.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            IEnumerable<object> list => list.OfType<string>(),
            _ => [],
        };
        return names.Aggregate(Roles.None, (all, name) => all | RoleNames.Of(name).GetValueOrDefault());
    }

    [GeneratedRegex(@"^[A-Za-z0-9._-]{1,64}\z")]
    internal static partial Regex TenantForm();
}

internal static class RoleNames
{
    public static IReadOnlyList<(string Name, Roles Role)> All { get; } = [("submit", Roles.Submit), ("read", Roles.Read), ("operate", Roles.Operate), ("admin", Roles.Admin)];

    public static Roles? Of(string name) => All.FirstOrDefault(r => r.Name == name) is (not null, var role) ? role : null;

    public static IReadOnlyList<string> Of(Roles roles) => All.Where(r => roles.HasFlag(r.Role)).Select(r => r.Name).ToArray();

    public static string Text(Roles roles) => string.Join(", ", Of(roles));
}
