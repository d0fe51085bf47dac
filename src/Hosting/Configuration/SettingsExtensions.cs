using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Millrace.Hosting.Configuration;

/// <summary>One rule of a settings class: what must hold, and what to say when it does not.</summary>
/// <param name="Name">The setting's name below its section.</param>
public sealed record SettingRule<T>(string Name, Func<T, bool> Holds, Func<T, string> Complaint);

public static class SettingsExtensions
{
    public const string Root = "Millrace";

    /// <summary>Binds <c>Millrace:{section}</c>, validates it at start, and makes the class itself injectable.</summary>
    /// <remarks>A name that the class does not know is an error, so that a misspelt setting can't be ignored in silence.</remarks>
    public static IServiceCollection AddSettings<T>(this IServiceCollection services, string section, params SettingRule<T>[] rules) where T : class, new()
    {
        services.AddSingleton(new SettingsSection(section, typeof(T)));
        services.AddOptions<T>().ValidateOnStart()
            .Configure<IConfiguration>((options, configuration) => Bind(configuration.GetSection($"{Root}:{section}"), options));
        services.AddSingleton<IValidateOptions<T>>(new Validator<T>(section, rules));
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<T>>().Value);
        return services;
    }

    /// <summary>A rule for a range, both ends included.</summary>
    public static SettingRule<T> Range<T, TValue>(string name, Func<T, TValue> value, TValue least, TValue most) where TValue : IComparable<TValue> => new(
        name,
        options => value(options) is var v && v.CompareTo(least) >= 0 && v.CompareTo(most) <= 0,
        options => $"{value(options)} is out of range; it must be from {least} to {most}");

    private static void Bind<T>(IConfigurationSection section, T options) where T : class
    {
        var known = typeof(T).GetProperties().Select(p => p.Name).ToHashSet(StringComparer.OrdinalIgnoreCase);
        foreach (var child in section.GetChildren())
        {
            if (!known.Contains(child.Key))
                throw new StartupException($"{section.Path}:{child.Key}: there is no such setting; known here: {string.Join(", ", known.Order())}");
        }
        try { section.Bind(options); }
        catch (InvalidOperationException error)
        {
            var bad = section.GetChildren().FirstOrDefault(c => error.Message.Contains(c.Path, StringComparison.OrdinalIgnoreCase));
            throw new StartupException($"{bad?.Path ?? section.Path}: '{bad?.Value}' can't be read ({error.InnerException?.Message ?? error.Message})", error);
        }
    }

    private sealed class Validator<T>(string section, SettingRule<T>[] rules) : IValidateOptions<T> where T : class
    {
        public ValidateOptionsResult Validate(string? name, T options)
        {
            var faults = rules.Where(r => !r.Holds(options)).Select(r => $"{Root}:{section}:{r.Name}: {r.Complaint(options)}").ToList();
            return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
        }
    }
}

/// <summary>A section that some part of the process reads.</summary>
public sealed record SettingsSection(string Name, Type Options);
