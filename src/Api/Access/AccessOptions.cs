namespace Millrace.Api.Access;

/// <summary>Who may call. Keys are made with <c>keys create</c> and kept in the store; tokens of an OpenID Connect issuer are taken besides.</summary>
public sealed class AccessOptions
{
    /// <summary>Address of an OpenID Connect issuer whose tokens (JWT) are taken as bearer tokens; its signing keys are read from <c>/.well-known/openid-configuration</c> below it. Empty: keys only.</summary>
    public string Issuer { get; set; } = "";

    /// <summary>What a token must have as <c>aud</c>. Needed with an issuer.</summary>
    public string Audience { get; set; } = "";

    /// <summary>The claim of a token that lists roles (<c>submit</c>, <c>read</c>, <c>operate</c>, <c>admin</c>), as a list or with spaces between.</summary>
    public string RolesClaim { get; set; } = "roles";

    /// <summary>The claim of a token that names the tenant: 1 to 64 of <c>A-Z a-z 0-9 . _ -</c>.</summary>
    public string TenantClaim { get; set; } = "tenant";

    /// <summary>Wrong keys and tokens that one address (IPv6: one /64) may show in a minute; from then on it gets 429. A good key of the same address still works. 1 to 1,000,000.</summary>
    public int FailuresPerMinute { get; set; } = 100;

    /// <summary>Models that are not for everybody: the setting's last part is the model's name, its value the tenants that may see it, by commas. Others get 404.</summary>
    public Dictionary<string, string> Models { get; set; } = [];
}
