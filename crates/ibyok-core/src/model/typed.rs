//! The type of a record that is known by its id alone.

/// Does something with the type of a record that has a floor, or something else for a record of another kind.
macro_rules! with_type_of {
    ($record:expr, $type:ident => $task:expr, _ => $other:expr) => {
        $crate::model::typed::match_kind!(
            $record, $type, $task, $other;
            KEY => key::KeyRecord,
            TOKEN => token::TokenRecord,
            SETTINGS => settings::SettingsRecord,
            INCIDENT => incident::IncidentRecord,
            REVIEW => review::ReviewRecord,
            ATTESTATION => attestation::AttestationRecord,
            LEAKED => leaked::LeakedRecord
        )
    };
}

macro_rules! match_kind {
    ($record:expr, $type:ident, $task:expr, $other:expr; $($kind:ident => $module:ident::$name:ident),*) => {
        match $record.collection().kind().as_u8() {
            $($crate::model::kind::$kind => {
                type $type = $crate::model::$module::$name;
                $task
            })*
            _ => $other,
        }
    };
}

pub(crate) use {match_kind, with_type_of};
